"""The only home of torch-level model code: load, render, tokenise, adapt, generate."""
