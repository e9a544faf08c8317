"""The chapters of the lesson, in order."""

from app.lesson import collapse, losses, objective, space, switches, telling, warm_up
from app.lesson.chapter import Chapter

CHAPTERS: tuple[Chapter, ...] = (
    warm_up.CHAPTER,
    space.CHAPTER,
    objective.CHAPTER,
    collapse.CHAPTER,
    telling.CHAPTER,
    switches.CHAPTER,
    losses.CHAPTER,
)
"""A new one may be put anywhere: links name a chapter by its slug. What a link keeps of progress goes by place."""
