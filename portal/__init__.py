"""The portal: what people see of Covenant. One Django project in two roles, a hub and one node a hospital."""
