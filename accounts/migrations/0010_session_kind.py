from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0009_attempts'),
    ]

    operations = [
        migrations.AddField(
            model_name='refreshsession',
            name='kind',
            field=models.CharField(choices=[('api', 'Api'), ('admin', 'Admin')], db_default='api', default='api', max_length=10),
        ),
    ]
