"""Search over parameters: studies, vectorised evolution, screening, fronts, overfitting. Optuna is imported here only."""
