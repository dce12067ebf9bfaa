"""Personal data and secrets in rows: found with their offsets, told of without their values, taken out."""
