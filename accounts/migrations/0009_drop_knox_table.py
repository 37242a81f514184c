"""Drop the table of django-rest-knox's own token model, unused since 0005 moved its rows."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("accounts", "0008_grown_tables")]

    operations = [
        migrations.RunSQL("DROP TABLE IF EXISTS knox_authtoken", migrations.RunSQL.noop),
    ]
