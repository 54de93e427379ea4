"""Splits and honest backtests: rules rolled forward by fitted response models, replays labelled as such, logged experiments."""
