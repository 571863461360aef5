"""Which recordings the cases are made of, by what is said in them."""

INTERRUPTING_EXCLAMATIONS = (
    "Default/Comeonthen",  # I'm waiting.
    "Default/Justyouwait",  # You're going to pay for that.
    "Default/Watchit",  # Watch where you're shooting.
    "Surfer/Cutitout",  # Seriously, cut it out.
    "Surfer/Leavemealone",  # Leave me alone.
    "Surfer/Hurry",  # Come on, man.
    "Surfer/Watchit",
    "Surfer/Stupid",  # Dude, that was so lame.
    "HillBilly/Cutitout",  # What do you call this?
    "HillBilly/Hello",  # What the hell we got going on here?
    "HillBilly/Watchit",
    "Mobster/Hurry",  # You want to do this thing or what?
    "Mobster/Watchit",
    "Mobster/Oops",  # Well, I screwed that one up.
    "British/Comeonthen",
    "British/Hurry",  # Time is short.
    "British/Justyouwait",
    "British/Hello",  # Good day to yourself.
    "Pirate/Runaway",  # Get away, lad.
    "Pirate/Leavemealone",  # Go and scrub the poop deck.
    "Singer/Stupid",  # That was stupid.
    "Singer/Comeonthen",  # Come on, then.
)
INTERRUPTING_PROMPTS = (
    "vm-no",  # No.
    "vm-pls-try-again",  # Please try again.
    "one-moment-please",
    "tt-somethingwrong",  # Something is terribly wrong.
    "vm-sorry",  # I'm sorry. I did not understand your response.
    "cannot-complete-as-dialed",
)
INTERRUPTING_ASSETS = (
    ("endgame_nagg_nell", 17.6, 19.3),  # What are you talking about?
    ("endgame_nagg_nell", 2.5, 3.7),  # Do you hear me?
    ("two_cities", 4.95, 6.45),
    ("clone-test", 0.6, 3.2),
)
COMMANDS = (
    "Stop.",
    "Wait.",
    "No, wait.",
    "Hold on.",
    "Excuse me.",
    "Sorry, what?",
    "Hang on a second.",
    "That is not what I asked.",
    "Can you repeat that?",
    "What about Sunday?",
    "Okay, stop.",
    "Yeah, but how much is it?",
    "Stop talking.",
    "No, that's wrong.",
    "I have a question.",
    "Let me ask you something.",
)

HUMS = ("Default/Hmm", "British/Hmm", "Mobster/Hmm", "Surfer/Hmm", "Pirate/Hmm", "Singer/Hmm")
DOUBLED_HUMS = ("Mobster/Hmm", "British/Hmm")
SAID_BACKCHANNELS = (
    "Yeah.",
    "Right.",
    "Okay.",
    "I see.",
    "Sure.",
    "Oh.",
    "Oh, okay.",
    "Yeah, yeah.",
)
HUMMED_BACKCHANNELS = ("Mhm.", "Mm-hmm.", "Uh-huh.")
"""What only the embedded voice can say; others spell it."""

TICS = (
    "Human/Cough-female.wav",
    "Human/Cough-male.wav",
    "Human/Sneeze-female.wav",
    "Human/Sneeze-male.wav",
    "Human/Laugh-female.wav",
    "Human/Laugh-male1.wav",
    "Human/Laugh-male2.wav",
    "Human/Laugh-male3.mp3",
    "Human/Slurp.mp3",
)
EXCLAIMED_TICS = (
    "Default/PoisonCough",
    "HillBilly/PoisonCough",
    "Default/Laugh",
    "British/Laugh",
    "Mobster/Laugh",
    "Surfer/Laugh",
    "Default/Ooff1",
    "British/Ow1",
    "Pirate/Ow3",
)
THINGS = (
    "Human/BabyCry.mp3",
    "Human/PartyNoise.wav",
    "Human/FingerSnap.wav",
    "Human/Footsteps-1.wav",
    "Effects/DoorClose.mp3",
    "Effects/DoorCreak.wav",
    "Effects/Typing.mp3",
    "Effects/Rattle.wav",
    "Effects/CarPassing.wav",
    "Effects/WaterRunning.mp3",
    "Animal/Dog1.wav",
    "Percussion/HandClap.wav",
    "Music Loops/GuitarChords1.mp3",
    "Music Loops/Drum.mp3",
)
MUSIC = (("macroform-cold_day", 30.0), ("manolo_camp-morning_coffee", 20.0))

BACKGROUND_ASSETS = (
    ("two_cities", 9.0, 14.4),
    ("two_cities", 17.5, 22.0),
    ("endgame_nagg_nell", 4.8, 8.4),
    ("endgame_nagg_nell", 23.6, 27.6),
    ("beckett", 0.0, 4.0),
)
BACKGROUND_PROMPTS = (
    "queue-periodic-announce",
    "vm-nobodyavail",
    "demo-moreinfo",
    "ss-noservice",
    "confbridge-mute-extended",
)
BACKGROUND_TALK = ("Did you see where I put the keys? They were on the table.",)

CLEAR_ASSETS = (
    ("clone-test", 0.6, 3.25),
    ("two_cities", 0.7, 4.65),
    ("endgame_nagg_nell", 17.6, 19.3),
    ("endgame_nagg_nell", 4.8, 8.4),
    ("endgame_nagg_nell", 2.5, 3.7),
    ("endgame_nagg_nell", 23.7, 27.6),
)
CLEAR_PROMPTS = (
    "vm-savefolder",  # Which folder should I save this message to?
    "all-circuits-busy-now",
    "conf-full",
    "number-not-answering",
    "tt-weasels",
    "vm-nonumber",
    "check-number-dial-again",
)
CLEAR_DICTATED = (
    "librivox/sense_and_sensibility_01_austen_64kb-0930.wav",
    "librivox/sense_and_sensibility_01_austen_64kb-0890.wav",
    "goforward.raw",
    "something.raw",
)
QUESTIONS = (
    "What is the capital of France?",
    "Can you tell me a joke?",
    "How are you today?",
    "I would like to book a table for two.",
    "What should I eat for breakfast?",
    "Do you know a good book?",
)

PAUSED_PROMPTS = (
    "conf-getpin",
    "confbridge-begin-glorious-b",
    "confbridge-only-one",
    "confbridge-remove-last-in",
    "pls-hold-while-try",
    "conf-onlyperson",
    "vm-nobodyavail",
    "dir-nomore",
    "vm-toforward",
    "at-tone-time-exactly",
    "conf-getchannel",
    "confbridge-menu-exit-in",
    "enter-num-blacklist",
    "followme/status",
    "priv-callpending",
    "vm-nobox",
    "privacy-prompt",
    "feature-not-avail-line",
)
PAUSED_DICTATED = (
    "librivox/sense_and_sensibility_01_austen_64kb-0870.wav",
    "librivox/sense_and_sensibility_01_austen_64kb-0880.wav",
    "librivox/sense_and_sensibility_01_austen_64kb-0920.wav",
    "librivox/sense_and_sensibility_01_austen_64kb-0930.wav",
)
PAUSED_ASSETS = (
    ("endgame_nagg_nell", 4.8, 8.4),
    ("endgame_nagg_nell", 23.7, 27.6),
    ("two_cities", 29.3, 34.8),
    ("clone-test", 0.6, 3.25),
)
HESITATIONS = (
    ("I would like to, um,", "book a table for two."),
    ("My name is, uh,", "Robert Miller."),
    ("Could you tell me, um,", "when the museum opens?"),
    ("I was wondering if, uh,", "you could help me with that."),
    ("We need it for, um,", "the second week of June."),
    ("The thing is that, uh,", "I forgot my password."),
)
"""What is said before and after the pause."""
NUMBERS = ("5550142", "90210", "4417", "3141592", "86753", "20260823", "701", "118")
"""Dictated digit by digit."""
NUMBER_PROMPT = "vm-num-i-have"  # The number I have is

ANSWERS = ("Yes.", "Yeah.", "Okay.", "Sure.", "Right.", "No.", "Yes, please.", "I see.")
