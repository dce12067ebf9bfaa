"""What every implementation of a plugin kind of this package must do, as tests."""
