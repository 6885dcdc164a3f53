from django.db import migrations, models


def fill(apps, schema_editor):
    sessions = apps.get_model("charging", "ChargingSession").objects
    sessions.filter(due_at=None).update(due_at=models.F("expires_at"))


class Migration(migrations.Migration):
    dependencies = [("charging", "0004_account_triggers")]

    operations = [
        migrations.AddField(
            model_name="chargingsession",
            name="version",
            field=models.BigIntegerField(default=0, help_text="Raised by whoever writes the row."),
        ),
        migrations.AddField(
            model_name="chargingsession", name="due_at", field=models.DateTimeField(null=True)
        ),
        migrations.RunPython(fill, migrations.RunPython.noop),
        migrations.AlterField(
            model_name="chargingsession",
            name="due_at",
            field=models.DateTimeField(
                help_text="Never after its supervision timer’s end; when it is to be looked at, and then moved to that end."
            ),
        ),
        migrations.RemoveIndex(model_name="chargingsession", name="session_by_expiry"),
        migrations.AddIndex(
            model_name="chargingsession",
            index=models.Index(fields=["status", "due_at"], name="session_by_due_time"),
        ),
    ]
