"""Where else a run's settings and figures are sent: MLflow, TensorBoard, Weights & Biases."""
