"""Sets Django up before the tests of this folder are imported: they import models."""

import django

django.setup()
