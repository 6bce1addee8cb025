"""What a resource remembers between runs: outputs, records of migrations, outcomes of nodes."""
