"""Sentences of libraries that appear in the interface and lack a Chinese translation in the library.

``locale/`` precedes the catalogues of the libraries, so listing a sentence here makes it
translatable; ``tests/test_library_sentences.py`` finds missing ones.
"""

from django.utils.translation import gettext_noop, ngettext_lazy

_NUMBER = 8  # any number: the library chooses the plural form at run time

SENTENCES = (
    # django.contrib.auth.password_validation
    ngettext_lazy(
        "This password is too short. It must contain at least %d character.",
        "This password is too short. It must contain at least %d characters.",
        _NUMBER,
    ),
    # django.contrib.admin, the sign-in page
    gettext_noop("Error:"),
    gettext_noop("Forgotten your login credentials?"),
    gettext_noop("Model name"),
    gettext_noop("Add link"),
    gettext_noop("Change or view list link"),
    # rest_framework.fields
    gettext_noop("A valid biginteger is required."),
    gettext_noop("Integer value too large to convert to float"),
    # django_filters.fields
    gettext_noop("Select a lookup."),
    gettext_noop("Range query expects two values."),
)
