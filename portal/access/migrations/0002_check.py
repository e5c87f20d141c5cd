from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("access", "0001_initial")]

    operations = [
        migrations.CreateModel(
            name="Check",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("request", models.UUIDField()),
                ("dataset", models.CharField(max_length=200)),
                ("version", models.PositiveIntegerField()),
                ("ruling", models.BinaryField()),
                ("earlier", models.CharField(blank=True, max_length=10)),
                ("made", models.DateTimeField(auto_now=True)),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("request", "dataset", "version"), name="one_check_a_case")
                ],
            },
        ),
    ]
