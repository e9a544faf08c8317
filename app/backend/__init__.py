"""The only door from the interface to `vae`: what pages and components may ask for, and nothing else.

Nothing here imports torch when it is loaded, so the first page paints at once. Whatever goes wrong on the way is a
`ValueError` with one sentence, made for being shown.

`listing`  The runs that there are, and their colours.
`history`  What a run has said so far, and the verdict on it.
`jobs`     Launch, stop, resume, rename, delete.
`form`     Recipes, knobs, corpora, what a run will cost.
`models`   Texts to codes, codes to texts.
`maps`     The codes of a run's sentences, and their maps.
`walks`    Paths between codes.
`planes`   Planes through the latent space, decoded cell by cell.
`evaluations`  The reports of runs, new ones, and runs against a yardstick.
`errands`  What takes long, in processes of their own.
`erratum`  A paper's tables as reported and corrected.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.backend.errands import Errand
from app.backend.erratum import ERRATUM_DATA, erratum_rows
from app.backend.evaluations import (
    REPORT_TABLE,
    SAMPLES,
    Evaluation,
    Gap,
    evaluate_command,
    evaluation,
    gap,
    has_report,
    measure,
    measured,
    measuring,
    report_rows,
    report_sentences,
    report_symbol,
    stop_measuring,
    trajectory,
)
from app.backend.form import (
    SECTIONS,
    Estimate,
    Preview,
    build,
    changed,
    check_name,
    check_source,
    command,
    describe,
    estimate,
    fresh_name,
    knobs,
    preview,
    recipe,
    recipe_names,
    save_upload,
)
from app.backend.history import figures, kl_per_dimension, log_tail, metrics, samples, verdict
from app.backend.jobs import delete, launch, rename, resume, stop
from app.backend.listing import Entry, colours, config, entries, entry, showcase, table
from app.backend.maps import (
    Codes,
    codes,
    codes_file,
    encode_sentences,
    fit_umap,
    fitting,
    has_codes,
    in_common,
    neighbours,
    project,
)
from app.backend.models import Decoding, Model, decode, encode, latent_size, model, prior
from app.backend.planes import (
    CELLS,
    FARTHEST,
    RADIUS,
    SHARE,
    SPANNING,
    Cut,
    Field,
    Pin,
    Window,
    dimension_kl,
    plane,
    plane_field,
    plane_pins,
    plane_python,
    plane_sentences,
    plane_spanning,
    plane_walk,
    plane_whole,
    plane_window,
)
from app.backend.walks import (
    End,
    Pair,
    Walk,
    Way,
    carried,
    end_code,
    input_text,
    paths,
    random_pairs,
    snapshots,
    walk,
    walk_command,
    walk_python,
    word_changes,
)
from vae.config import Config, Data, Knob
from vae.planes import Plane
from vae.tables import comma_separated, latex, tex

if TYPE_CHECKING:  # pandas can wait
    from vae.projection import Projection as Projection

__all__ = [
    "CELLS",
    "ERRATUM_DATA",
    "FARTHEST",
    "RADIUS",
    "REPORT_TABLE",
    "SAMPLES",
    "SECTIONS",
    "SHARE",
    "SPANNING",
    "Codes",
    "Config",
    "Cut",
    "Data",
    "Decoding",
    "End",
    "Entry",
    "Errand",
    "Estimate",
    "Evaluation",
    "Field",
    "Gap",
    "Knob",
    "Model",
    "Pair",
    "Pin",
    "Plane",
    "Preview",
    "Walk",
    "Way",
    "Window",
    "build",
    "carried",
    "changed",
    "check_name",
    "check_source",
    "codes",
    "codes_file",
    "colours",
    "comma_separated",
    "command",
    "config",
    "decode",
    "delete",
    "describe",
    "dimension_kl",
    "encode",
    "encode_sentences",
    "end_code",
    "entries",
    "entry",
    "erratum_rows",
    "estimate",
    "evaluate_command",
    "evaluation",
    "figures",
    "fit_umap",
    "fitting",
    "fresh_name",
    "gap",
    "has_codes",
    "has_report",
    "in_common",
    "input_text",
    "kl_per_dimension",
    "knobs",
    "latent_size",
    "latex",
    "launch",
    "log_tail",
    "measure",
    "measured",
    "measuring",
    "metrics",
    "model",
    "neighbours",
    "paths",
    "plane",
    "plane_field",
    "plane_pins",
    "plane_python",
    "plane_sentences",
    "plane_spanning",
    "plane_walk",
    "plane_whole",
    "plane_window",
    "preview",
    "prior",
    "project",
    "random_pairs",
    "recipe",
    "recipe_names",
    "rename",
    "report_rows",
    "report_sentences",
    "report_symbol",
    "resume",
    "samples",
    "save_upload",
    "showcase",
    "snapshots",
    "stop",
    "stop_measuring",
    "table",
    "tex",
    "trajectory",
    "verdict",
    "walk",
    "walk_command",
    "walk_python",
    "word_changes",
]
