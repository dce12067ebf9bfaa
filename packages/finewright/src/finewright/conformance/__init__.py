"""What every implementation of a plugin kind must do, as tests that a package runs on its own."""
