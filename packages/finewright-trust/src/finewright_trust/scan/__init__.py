"""`finewright scan`: the files of a model from elsewhere, before it is loaded."""
