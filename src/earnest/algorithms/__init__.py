"""Policy-gradient methods, one file each; the file's name is its name in a recipe, its defaults are its paper's."""
