"""One file per job: data, model, decision, tracking and report meet here."""
