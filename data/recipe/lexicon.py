"""Every word the grammar uses, grouped by the part it plays.

Words that can be an answer were chosen to be one token, with their leading space, in GPT-2's and
Pythia's tokenizers as well; `tests/test_data.py` checks it where those tokenizers are at hand.
"""


def words(text: str) -> list[str]:
    return text.split()


NAMES = words(
    "Tom Sam Ben Anna Mary John Lucy Paul Emma Jack Kate Peter Sarah David Alice Mark Jane Luke "
    "Ruth Adam Max Eric Laura Simon"
)

# --- description ---------------------------------------------------------------------------
NOUNS = words(
    "table chair box basket bottle lamp clock mirror letter map coat hat shoe ball rope ladder cart "
    "wheel candle blanket drum picture stone leaf flower cup bowl knife pot bag book pen"
)
ANIMALS = words("dog cat horse cow sheep bird duck goat mouse fox bear rabbit fish owl frog")
ADJECTIVES = words(
    "old new small large quiet long short round clean dry wet warm cold plain heavy light soft dark "
    "narrow wide empty full simple tall low flat broken pretty"
)
STATES = words("wet dry warm cold clean dark empty full open closed heavy soft quiet safe strong")
MOODS = words("happy sad calm tired proud angry busy sick hungry nervous")
COLOURS = words("red blue green yellow black white brown pink purple orange gray silver")
PLACES = words(
    "kitchen garden garage bedroom office library school park house barn cellar museum hotel bank "
    "church forest field station shop hospital tower castle theater market village valley"
)
PREPOSITIONS = words("near behind beside inside outside above below beyond across")
SEASONS = words("spring summer autumn winter morning evening afternoon night")
WEEKDAYS = words("Monday Tuesday Wednesday Thursday Friday Saturday Sunday")
WEATHERS = words("raining snowing sunny cloudy windy late early cold warm dark")
RESTING = words("stands lies sits stays sleeps waits rests turns falls grows")
HANDLING = words("carries holds cleans moves finds keeps brings takes sees paints")
MATERIALS = words(
    "wood stone glass paper gold silver iron steel copper brass clay sand silk wool cotton leather "
    "wax salt ice bone rubber brick tin sugar"
)
NO_MATERIALS = words(
    "bread cheese soup rice fruit cake fish meat corn salad pasta butter honey wine tea rain rope "
    "string seed music light roses apples bells"
)

# --- poetry --------------------------------------------------------------------------------
# A rhyme with three other right answers (easy) or eleven (medium): only the class size differs.
SMALL_RHYMES = [
    words("star car jar bar"),
    words("king ring wing spring"),
    words("rain train chain brain"),
    words("moon spoon tune noon"),
    words("book cook hook look"),
    words("town crown gown clown"),
]
LARGE_RHYMES = [
    words("day way bay clay hay ray play pay tray spray gray delay"),
    words("night light sight fight flight knight height bite right site might white"),
    words("air chair hair bear pair fair square care share affair prayer repair"),
]
IDEAS = words("love time hope fear sorrow joy memory silence truth youth sleep grief")
IMAGES = words(
    "river stone bird house storm door mirror garden road ship song shadow flower mountain candle "
    "bridge wolf letter dream window wave seed knife clock cloud bell lamp fire"
)

# --- code ----------------------------------------------------------------------------------
VARIABLES = words(
    "value name total count item line word price size score text data user key index list result "
    "number left right"
)
MODULES = words("os sys json math random time string copy types queue socket logging")

# --- logic ---------------------------------------------------------------------------------
FOODS = words("bread cheese soup rice fruit cake fish meat corn salad pasta butter")
COMPARISONS = [
    ("taller", "tallest"), ("older", "oldest"), ("faster", "fastest"), ("stronger", "strongest"),
    ("richer", "richest"), ("younger", "youngest"), ("louder", "loudest"), ("smarter", "smartest"),
]  # fmt: skip

# --- reviews -------------------------------------------------------------------------------
ASPECTS = words("acting plot music ending script cast story camera pace dialogue humor opening")
STRONG_GOOD = words(
    "wonderful brilliant lovely superb excellent beautiful moving delightful charming perfect "
    "clever funny"
)
WEAK_GOOD = words("fine decent pleasant watchable likeable solid")
WEAK_BAD = words("slow uneven thin ordinary long predictable")
STRONG_BAD = words(
    "terrible dreadful boring awful dull ugly stupid lifeless painful clumsy tedious silly"
)

# --- made-up facts -------------------------------------------------------------------------
CITIES = words(
    "Paris London Rome Berlin Madrid Vienna Moscow Tokyo Delhi Boston Chicago Dublin Athens Cairo "
    "Toronto Milan"
)
JOBS = words(
    "doctor teacher farmer lawyer soldier painter writer singer driver pilot nurse judge chef "
    "priest sailor scientist"
)
PRODUCTS = words(
    "bread honey cheese wine roses horses boats gardens music bells silk salt paper apples tea iron"
)
