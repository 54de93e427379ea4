"""How new rules are found: terms in words, outcomes of a week, trees that propose, evidence that judges, an entry to paste."""
