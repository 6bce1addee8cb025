"""The text of diagnostics, findings and requirements: the only folder that makes English of them."""
