"""A paper's tables as reported and corrected, as tables for a page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vae import erratum

if TYPE_CHECKING:
    import pandas as pd

ERRATUM_DATA = erratum.DATA
"""The data sets that Park & Lee 2021 have a table of."""


def erratum_rows(data: str) -> pd.DataFrame:
    """The rows of one data set, in the paper's order.

    Printed: table, row, ppl, kl_nats, mi_nats, active_units, reported_nats. Computed: mi_bound_nats, saturated,
    sign_lost, rec_nats, corrected_nats, implied_nats (-ELBO by PPL alone), and tokens_reported and tokens_corrected,
    the tokens of a sentence by either reading.
    """
    import pandas as pd

    return pd.DataFrame(
        [
            {
                "table": row.table,
                "row": row.label,
                "ppl": row.ppl,
                "kl_nats": row.kl_nats,
                "mi_nats": row.mi_nats,
                "mi_bound_nats": erratum.mi_bound_nats(row),
                "saturated": erratum.saturated(row),
                "active_units": row.active_units,
                "reported_nats": row.reported_nats,
                "sign_lost": erratum.signed_nats(row) < 0,
                "rec_nats": erratum.rec_nats(row),
                "corrected_nats": erratum.corrected_nats(row),
                "implied_nats": erratum.implied_nats(row),
                "tokens_reported": erratum.tokens(row.reported_nats, row),
                "tokens_corrected": erratum.tokens(erratum.corrected_nats(row), row),
            }
            for row in erratum.rows(data)
        ]
    )
