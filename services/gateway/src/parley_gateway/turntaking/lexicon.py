"""What people say over each other: nods, which leave the turn, and words that ask for it."""

_NODS = {
    "en": (
        "m", "mm", "mmm", "mhm", "mhmm", "mmhmm", "hm", "hmm", "hum", "um", "uh", "huh", "uhhuh",
        "ah", "aha", "haha", "ooh", "oh", "eh", "er", "wow", "her", "ma", "mum",
        "mama", "ma'am", "yo", "i c",
        "yeah", "yea", "yep", "yup", "yes", "ya", "y'all", "right", "okay", "ok", "alright",
        "all right", "sure", "i see", "got it", "gotcha", "i know", "of course", "exactly",
        "absolutely", "definitely", "totally", "true", "that's right", "indeed", "fine", "good",
        "great", "nice", "cool", "perfect", "really", "interesting", "makes sense", "fair enough",
        "so", "and", "well", "you",
    ),
    "de": (
        "mm", "mhm", "hm", "hmm", "aha", "ah", "oh", "ach", "ach so", "ja", "jaja", "genau",
        "okay", "ok", "gut", "klar", "stimmt", "richtig", "verstehe", "ich verstehe",
        "alles klar", "und", "so", "also",
    ),
    "fr": (
        "mm", "hm", "hmm", "mhm", "ah", "oh", "ah bon", "oui", "ouais", "d'accord", "ok", "okay",
        "voilà", "bien", "très bien", "je vois", "bien sûr", "exact", "c'est ça", "et", "alors",
    ),
    "es": (
        "mm", "mhm", "hm", "ajá", "ah", "oh", "sí", "ya", "claro", "vale", "ok", "okay", "bueno",
        "bien", "de acuerdo", "entiendo", "exacto", "eso es", "y", "pues",
    ),
}  # fmt: skip
"""With what recognisers make of them: a hummed "mhm" is written as "her" or "mama"."""

_COMMANDS = {
    "en": (
        "stop", "wait", "no", "nope", "hold on", "hang on", "hey", "hello", "excuse me", "sorry",
        "pardon", "what", "quiet", "shut up", "enough", "cancel", "listen", "actually", "but",
        "one moment", "just a moment", "one second", "please", "help",
    ),
    "de": (
        "stopp", "stop", "halt", "warte", "warten sie", "nein", "moment", "entschuldigung",
        "hallo", "was", "wie bitte", "ruhe", "genug", "aber", "bitte", "hilfe",
    ),
    "fr": (
        "stop", "arrêtez", "arrête", "attendez", "attends", "non", "pardon", "excusez-moi", "allô",
        "quoi", "mais", "un instant", "une seconde", "aidez-moi",
    ),
    "es": (
        "para", "pare", "alto", "espera", "espere", "no", "perdón", "disculpe", "hola", "oye",
        "qué", "pero", "un momento", "por favor", "ayuda",
    ),
}  # fmt: skip


def backchannels(language: str) -> tuple[str, ...]:
    """Nods in a BCP 47 `language`; English ones where none are known."""
    return _of(_NODS, language)


def commands(language: str) -> tuple[str, ...]:
    """How one begins who wants the turn; likewise."""
    return _of(_COMMANDS, language)


def _of(lists: dict[str, tuple[str, ...]], language: str) -> tuple[str, ...]:
    return lists.get(language.split("-")[0].lower(), lists["en"])
