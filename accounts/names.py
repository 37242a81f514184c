"""Names that are reserved at sign-up, because they would seem to speak for the site.

Operators may use them: ``createsuperuser`` and the admin require only a valid, free name.
"""

_WORDS = """
    about abuse account accounts admin administrator administrators admins anonymous api app apps auth
    billing blog bot channel channels chat comments contact dashboard dev docs embed everyone feed feeds
    ftp guest guests healthz help here hls home hostmaster i18n imap info ingest legal live login logout mail
    mailer-daemon me media mfa mod moderation moderator moderators news noreply no-reply nobody null
    oembed official owner postmaster press privacy readyz register report reports root rtmp rules
    search security settings signin signout signup site smtp sms sso staff static status studio
    superuser support sysadmin system team terms test tests trending undefined upload uploads user
    users video videos watch webmaster ws www zoetrope
"""
RESERVED_NAMES = frozenset(_WORDS.split())


def is_reserved(username: str) -> bool:
    """Return whether a name looks reserved, in any case and behind dots, dashes or underscores."""
    return username.lower().strip("._-") in RESERVED_NAMES
