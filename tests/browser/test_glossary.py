"""The glossary opens at the word that a label asks for, with its formula."""


def test_a_link_opens_the_glossary_at_its_entry(page, address, settled):
    page.goto(f"{address}/glossary?term=neg_elbo_nats")
    entry = page.locator(".st-key-term_neg_elbo_nats")
    entry.locator(".katex").first.wait_for()
    page.locator(".st-key-term_neg_elbo_nats:focus").wait_for()
    settled(page)
    box = entry.bounding_box()
    assert box["y"] > 60  # below the navigation
    assert box["y"] + box["height"] < page.viewport_size["height"]
    rec, kl = entry.locator(".stMarkdownColoredText:has(.katex)").all()
    assert rec.evaluate("e => getComputedStyle(e).color") != kl.evaluate("e => getComputedStyle(e).color")
    assert page.locator(".katex").count() >= 25
    assert page.locator(".katex-error").count() == 0
