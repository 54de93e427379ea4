"""The daily rules that move ad-set budgets: parameters, library, engine, response model, roll-outs, pooling."""
