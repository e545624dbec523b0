"""The set-up of this project: what `./dev` is made of, on the standard library alone."""
