"""The lesson on posterior collapse: chapters that drive the app. Each asks for a prediction, then shows what is so.

`chapter` says what a chapter is, `chapters` lists them in order; every other module is one chapter.
"""
