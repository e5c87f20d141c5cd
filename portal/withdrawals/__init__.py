"""A withdrawal handed in without an account: what a hospital's page and the institute's page share."""
