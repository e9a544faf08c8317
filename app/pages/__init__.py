"""One short script a page. Pages never import each other."""
