"""Many clusters, a stack each: for teams who outgrow one stack."""
