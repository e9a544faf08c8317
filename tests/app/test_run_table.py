from streamlit.testing.v1 import AppTest

from app import backend


def test_the_table_holds_every_run_that_can_be_read(make_run, root):
    make_run("good")
    make_run("bad", "plain-vae")
    make_run("young", share=0.0, state="stopped")
    (root / "broken").mkdir()
    (root / "broken" / "config.json").write_text("{}", encoding="utf-8")
    (root / "broken" / "status.json").write_text("{}", encoding="utf-8")
    table = backend.table().set_index("run")
    assert set(table.index) == {"good", "bad", "young"}
    assert table.loc["good", "verdict"] == "healthy"
    assert table.loc["bad", "delta_nll_nats"] < 0.5


def test_the_table_is_shown_with_definitions_and_downloads(make_run):
    make_run("good")

    def script():
        from app import backend
        from app.components.run_table import run_table

        run_table(backend.table())

    at = AppTest.from_function(script).run()
    assert not at.exception
    assert "good" in at.dataframe[0].value["run"].tolist()
    assert len(at.get("download_button")) == 2
