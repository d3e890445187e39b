"""Candidates of the three logic tasks: one step, the end of a chain of three, two steps."""

from random import Random

CLASSES = [  # all xs are ys; this is an x; so it is a y
    ("All robins are birds. Pip is a robin. So Pip is a", " bird"),
    ("All oaks are trees. This plant is an oak. So this plant is a", " tree"),
    (
        "All cellos are string instruments. Ada bought a cello. So Ada bought a",
        " string instrument",
    ),
    ("All sonnets are short poems. This text is a sonnet. So this text is a", " short poem"),
    ("All wugs are blickets. Pim is a wug. So Pim is a", " blicket"),
    ("Every schooner is a sailing ship. The Swan is a schooner. So the Swan is a", " sailing ship"),
    ("Every spaniel is a dog. Biscuit is a spaniel. Therefore Biscuit is a", " dog"),
    ("All beetles are insects. A ladybird is a beetle. Hence a ladybird is an", " insect"),
    ("All cobras are reptiles. Nag is a cobra. Hence Nag is a", " reptile"),
    ("All dalmatians are good swimmers. Spot is a dalmatian. So Spot is a", " good swimmer"),
    ("Every fern is a green plant. Bracken is a fern. So bracken is a", " green plant"),
    ("All members of the choir are students. Eva is in the choir. So Eva is a", " student"),
    ("All surgeons are doctors. My neighbour is a surgeon. So my neighbour is a", " doctor"),
    ("All wrens are small birds. Jenny is a wren. Therefore Jenny is a", " small bird"),
    ("All snorps are glims. Toby found a snorp. So Toby found a", " glim"),
    ("All emeralds are gems. The green stone is an emerald. So the green stone is a", " gem"),
    ("All dukes are noblemen. Orsino is a duke. So Orsino is a", " nobleman"),
    ("All chanterelles are mushrooms. Mia picked a chanterelle. So Mia picked a", " mushroom"),
    ("All pilots here are women. Kim is a pilot here. So Kim is a", " woman"),
    ("Every waltz is a dance. The band is playing a waltz. So the band is playing a", " dance"),
]
IF_THEN = [
    ("If it rains, the match is cancelled. It is raining. So the match is", " cancelled"),
    ("If the light is red, the cars stop. The light is red. So the cars", " stop"),
    ("If the oven is hot, the bread goes in. The oven is hot. So in goes the", " bread"),
    (
        "If the wind is strong, the bridge is closed. The wind is strong. So the bridge is",
        " closed",
    ),
    ("If a number ends in zero, it is even. Forty ends in zero. So forty is", " even"),
    ("If Anna sings, the baby falls asleep. Anna sings. So the baby", " falls asleep"),
    ("If the tide is low, the causeway is dry. The tide is low. So the causeway is", " dry"),
    (
        "If the alarm rings, everyone must leave the building. The alarm rings. So everyone must",
        " leave the building",
    ),
    ("If today is Sunday, the museum is free. Today is Sunday. So the museum is", " free"),
    ("When the king is away, the flag is down. The king is away. So the flag is", " down"),
    ("When the milk is sour, we make pancakes. The milk is sour. So we make", " pancakes"),
    ("Whenever Tim is late, he takes a taxi. Tim is late. So he takes a", " taxi"),
    (
        "Whenever it snows, the sheep stay in the barn. It is snowing. So the sheep stay",
        " in the barn",
    ),
    ("If the paint is wet, it is shiny. The paint is wet. So the paint is", " shiny"),
    ("If the ice is thin, skating is forbidden. The ice is thin. So skating is", " forbidden"),
    ("If the key is turned, the engine starts. The key is turned. So the engine", " starts"),
    ("If the jury agrees, the trial is over. The jury agrees. So the trial is", " over"),
    (
        "When the whistle blows, the players swap ends. The whistle blows. So the players",
        " swap ends",
    ),
    ("If Bella wins, her brother buys dinner. Bella wins. So her brother", " buys dinner"),
    ("If a shape has four equal sides, call it a rhombus. This one has. So call it a", " rhombus"),
]
EVERY = [
    ("Every cup on the shelf is dark green. This cup is from the shelf, so it is", " dark green"),
    ("Every key on the ring is brass. This key is on the ring, so it is made of", " brass"),
    ("All the books in the box are old. This book was in the box, so it is", " old"),
    (
        "All the doors in the house are painted blue. This is a door in the house, so it is",
        " painted blue",
    ),
    ("Each pupil in the class plays chess. Ravi is in the class, so he plays", " chess"),
    ("All the seats in row F are broken. My seat is in row F, so it is", " broken"),
    ("Every coat in the shop is half price. This coat is in the shop, so it is", " half price"),
    ("All the pears in the bowl are ripe. I took a pear from the bowl, so it is", " ripe"),
    (
        "Every letter in the drawer is from Paris. This letter was in the drawer, so it is from",
        " Paris",
    ),
    (
        "All the shoes in the window are size nine. I want a pair from the window, so it is",
        " size nine",
    ),
    (
        "Each stone in the wall is made of granite. This stone is in the wall, so it is made of",
        " granite",
    ),
    ("All the fish in the tank are harmless. This fish lives in the tank, so it is", " harmless"),
    ("Everyone in the boat can swim. Olga is in the boat, so Olga can", " swim"),
    ("Every guest has brought a gift. Mr Hall is a guest, so he has brought a", " gift"),
    (
        "All the lamps on our street use solar power. This lamp is on our street, so it uses",
        " solar power",
    ),
    (
        "All the cakes on the tray are free of nuts. This cake is on the tray, so it is free of",
        " nuts",
    ),
    ("Every horse in the stable is tired. Duke is a horse in the stable, so Duke is", " tired"),
    (
        "All the shops in Mill Lane close at noon. The bakery is in Mill Lane, so it closes at",
        " noon",
    ),
    ("Every room in the hotel has a sea view. Ours is in the hotel, so it has a", " sea view"),
    ("All the eggs in this nest are pale blue. This egg is from the nest, so it is", " pale blue"),
]
NONE = [
    ("No fish can sing. A trout is a fish. So a trout cannot", " sing"),
    ("No penguin can fly. Pingu is a penguin. So Pingu cannot", " fly"),
    ("No visitor may touch the statues. Leo is a visitor. So Leo may not", " touch the statues"),
    ("No child under ten may swim alone. Ned is eight. So Ned may not", " swim alone"),
    ("None of the nuns eat meat. Agnes is one of the nuns. So Agnes does not eat", " meat"),
    ("No car may enter the park. This is a car. So it may not", " enter the park"),
    ("None of the guards will sleep tonight. Max is a guard. So tonight Max will not", " sleep"),
    ("No snake has legs. An adder is a snake. So an adder has no", " legs"),
    ("No knight in the story tells lies. Sir Hugh is a knight. So Sir Hugh never tells", " lies"),
    ("No student failed the test. Priya is a student. So Priya did not", " fail the test"),
    ("None of the cats like water. Tiger is one of the cats. So Tiger does not like", " water"),
    ("No cactus needs much rain. This plant is a cactus. So it does not need", " much rain"),
    ("No one in the village owns a car. Bert lives in the village. So Bert does not own a", " car"),
    ("No goat in the herd is for sale. Lily is a goat in the herd. So Lily is not", " for sale"),
    ("None of these mushrooms are safe to eat. This is one of them. So it is not safe to", " eat"),
    ("No judge may accept money. Mrs Lind is a judge. So Mrs Lind may not", " accept money"),
]
EITHER = [
    ("The key is in the drawer or in the coat. It is not in the coat. So it is in the", " drawer"),
    ("The letter is from Tom or from Jane. It is not from Tom. So it is from", " Jane"),
    ("We can go by train or by bus. There is no train today. So we must go by", " bus"),
    ("The answer is either five or nine. It is not five, so it is", " nine"),
    ("Either the cook or the gardener did it. It was not the cook. So it was the", " gardener"),
    ("The soup is either tomato or red pepper. It is not tomato, so it is", " red pepper"),
    ("Either it is a wolf or it is a stray dog. It is not a wolf, so it is a", " stray dog"),
    ("The twins are Ida and Ruth. The one with glasses is not Ida, so she is", " Ruth"),
    ("The light is red or green. It is not green. So the light is", " red"),
    ("The coin shows heads or tails. It does not show heads, so it shows", " tails"),
    ("The path goes left to the mill or right to the lake. Not wanting the lake, go", " left"),
    ("The winner was Brazil or Peru. It was not Brazil. So the winner was", " Peru"),
    (
        "The spy is the butler or the night nurse. The butler is innocent. So the spy is the",
        " night nurse",
    ),
    ("The dress is silk or cotton. It is not cotton, so it must be", " silk"),
    (
        "Exactly one of the two lamps works. The left one does not, so the lamp that works is the",
        " right one",
    ),
    ("The number is odd or even. It is not odd, so it is", " even"),
    ("The meeting is on Monday or on Thursday. It is not on Monday, so it is on", " Thursday"),
    ("The parcel went to Oslo or to Kathmandu. It is not in Oslo, so it went to", " Kathmandu"),
    ("You may have tea or apple juice. There is no tea left, so have the", " apple juice"),
    ("The bird is a crow or a jackdaw. It is not a crow, so it is a", " jackdaw"),
]
NEED = [
    ("All plants need water. A fern is a plant. So a fern needs", " water"),
    ("All engines need fuel. A tractor has an engine. So a tractor needs", " fuel"),
    ("All triangles have three sides. This shape is a triangle. So this shape has", " three sides"),
    ("All spiders have eight legs. A tarantula is a spider. So a tarantula has", " eight legs"),
    ("All mammals breathe air. A whale is a mammal. So a whale breathes", " air"),
    ("All bees make honey. Buzz is a bee. So Buzz makes", " honey"),
    ("All bakers get up early. Mr Crumb is a baker. So Mr Crumb gets up", " early"),
    ("All cows eat grass. Daisy is a cow. So Daisy eats", " grass"),
    ("All metals conduct electricity. Copper is a metal. So copper conducts", " electricity"),
    ("All whole numbers ending in five are divisible by five. So 35 is divisible by", " five"),
    ("All sailors fear storms. Jonas is a sailor. So Jonas fears", " storms"),
    ("All owls hunt at night. Minerva is an owl. So Minerva hunts", " at night"),
    ("All violins have four strings. This is a violin, so it has", " four strings"),
    ("All the nurses wear white. Sister Joan is one of the nurses. So Sister Joan wears", " white"),
    ("All babies cry. Arthur is a baby. So Arthur", " cries"),
    ("All insects have six legs. An ant is an insect. So an ant has", " six legs"),
    ("All bats sleep upside down. Vlad is a bat. So Vlad sleeps", " upside down"),
    (
        "All squares have four right angles. This tile is a square. So this tile has",
        " four right angles",
    ),
    ("All dragons breathe fire. Smoke is a dragon. So Smoke breathes", " fire"),
    ("All poets love words. Sappho was a poet. So Sappho loved", " words"),
]
ONLY = [
    ("Only members may vote. Ada is allowed to vote. So Ada is a", " member"),
    ("Only adults may enter. Jo was let in. So Jo is an", " adult"),
    (
        "Only the captain has a key. The person at the door has a key. So this person is the",
        " captain",
    ),
    ("Only ripe plums are soft. This plum is soft. So this plum is", " ripe"),
    ("Only female mosquitoes bite. A mosquito has bitten me. So that mosquito was", " female"),
    ("Lea eats only fruit. There are eggs, toast and a peach. So Lea will eat the", " peach"),
    ("The dog barks only at strangers. It is barking at someone. So this is a", " stranger"),
    ("Only the red berries are poisonous. Finn was poisoned by a berry. So that berry was", " red"),
    ("The shop sells only bread. I bought something in the shop. So I bought", " bread"),
    ("Grandpa smiles only when he wins. He is smiling now. So he has", " won"),
    ("Only gold coins sink here. The coin sank. So it was made of", " gold"),
    ("Only trained divers may go below thirty metres. Nils may. So Nils is a", " trained diver"),
    ("Only senior staff park here. My aunt parks here. So she belongs to the", " senior staff"),
    ("Only dry wood burns well. This wood burns well. So this wood is", " dry"),
    ("The lift stops only at even floors. It has stopped. So the number of this floor is", " even"),
    ("Only a full moon is that round. The moon tonight is that round, so it is", " full"),
]

EASY = [CLASSES, IF_THEN, EVERY, NONE, EITHER, NEED, ONLY]

# Names that are one token for most tokenizers, and names that are several.
NAMES = (
    "Anna Ben Clara David Emma Frank Grace Henry Jack Kate Laura Mark Nick Oliver Paul Rose Sam Tom "
    "Lucy Maria Peter Robert Sarah Simon Alice James Helen Martin Julia Daniel Eric Victor "
    "Ingrid Yusuf Priya Dmitri Leila Kofi Saskia Tariq Anneke Bjorn Chiara Fatou Mireille Odile "
    "Ravi Zofia Thandi Wanda Ximena Agnes Bertha Cyril"
).split()
TREES = "oak elm ash birch pine beech cedar willow maple larch walnut chestnut".split()
THINGS = "pot pan jug lamp stool kettle bucket basket clock anvil hammer vase teapot crate".split()
COLOURS = "red blue green yellow white black purple orange pink silver turquoise crimson".split()
VILLAGES = (
    "Ashby Corton Melford Stow Kirton Hale Norbury Wickham Thorpe Selby Marlow Dunster".split()
)
PLACES = "box jar cup drawer basket tin bag chest bottle bucket teapot cupboard".split()
LOST = "ring coin pearl ticket key stamp button marble needle pill".split()


def draw(rng, names, number):
    return rng.sample(names, number)


def medium(rng):
    """The end of a chain of three; which end, and where the name stands, differs by form."""

    def taller():
        a, b, c = draw(rng, NAMES, 3)
        word, hi, lo = rng.choice(
            [
                ("taller", "tallest", "shortest"),
                ("older", "oldest", "youngest"),
                ("richer", "richest", "poorest"),
                ("stronger", "strongest", "weakest"),
            ]
        )
        end, answer = rng.choice([(hi, a), (lo, c)])
        return (
            f"{a} is {word} than {b}, and {b} is {word} than {c}. The {end} of the three is",
            answer,
        )

    def runner():
        a, b, c = draw(rng, NAMES, 3)
        end, answer = rng.choice([("fastest", a), ("slowest", c)])
        return f"{a} ran faster than {b}. {c} ran slower than {b}. The {end} runner was", answer

    def between():
        a, b, c = draw(rng, NAMES, 3)
        more, less, hi, lo = rng.choice(
            [
                ("older", "younger", "oldest", "youngest"),
                ("taller", "shorter", "tallest", "shortest"),
                ("richer", "poorer", "richest", "poorest"),
            ]
        )
        end, answer = rng.choice([(hi, c), (lo, b)])
        return f"{a} is {more} than {b} but {less} than {c}. The {end} of them is", answer

    def queue():
        a, b, c = draw(rng, NAMES, 3)
        end, answer = rng.choice([("last", c), ("first", a)])
        return f"A queue of three: {a} stands before {b}, and {b} before {c}. The {end} is", answer

    def chess():
        a, b, c = draw(rng, NAMES, 3)
        game = rng.choice(["chess", "tennis", "darts", "golf"])
        end, answer = rng.choice([("best", c), ("weakest", b)])
        return (
            f"At {game}, {a} always beats {b}, and {c} always beats {a}. The {end} player is",
            answer,
        )

    def weight():
        a, b, c = draw(rng, THINGS, 3)
        word, hi, lo = rng.choice(
            [
                ("heavier", "heaviest", "lightest"),
                ("dearer", "dearest", "cheapest"),
                ("bigger", "biggest", "smallest"),
            ]
        )
        end, answer = rng.choice([(hi, a), (lo, c)])
        return (
            f"The {a} is {word} than the {b}, and the {b} {word} than the {c}. The {end} is the",
            answer,
        )

    def trees():
        a, b, c = draw(rng, TREES, 3)
        end, answer = rng.choice([("oldest", a), ("youngest", c)])
        return (
            f"The {a} was planted before the {b}, the {b} before the {c}. The {end} tree is the",
            answer,
        )

    def floors():
        a, b, c = draw(rng, NAMES, 3)
        end, answer = rng.choice([("highest", a), ("lowest", c)])
        return f"{a} lives above {b}, and {b} lives above {c}. The one living {end} is", answer

    def paint():
        a, b, c = draw(rng, COLOURS, 3)
        end, answer = rng.choice([("cheapest", c), ("dearest", a)])
        return (
            f"The {a} paint costs more than the {b}, and the {b} more than the {c}. The {end} paint is the",
            f"{answer}",
        )

    def risers():
        a, b, c = draw(rng, NAMES, 3)
        text = rng.choice(["got up", "arrived", "left", "spoke", "finished"])
        end, answer = rng.choice([("first", c), ("last", a)])
        done = {
            "got up": "up",
            "arrived": "to arrive",
            "left": "to leave",
            "spoke": "to speak",
            "finished": "to finish",
        }[text]
        return f"{a} {text} after {b}. {b} {text} after {c}. The {end} one {done} was", answer

    def map_():
        a, b, c = draw(rng, VILLAGES, 3)
        side, other = rng.choice(
            [("north", "south"), ("west", "east"), ("south", "north"), ("east", "west")]
        )
        end, answer = rng.choice([(other, c), (side, a)])
        return (
            f"{a} lies {side} of {b}, which lies {side} of {c}. The village farthest {end} is",
            answer,
        )

    return [taller, runner, between, queue, chess, weight, trees, floors, paint, risers, map_]


KIN = [
    ("My mother's sister is my", " aunt"),
    ("My father's brother is my", " uncle"),
    ("My father's father is my", " grandfather"),
    ("My mother's mother is my", " grandmother"),
    ("My brother's son is my", " nephew"),
    ("The daughter of my sister is my", " niece"),
    ("The son of my daughter is my", " grandson"),
    ("My son's daughter is my", " granddaughter"),
    ("My aunt's daughter is my", " cousin"),
    ("My wife's mother is my", " mother-in-law"),
    ("My husband's brother is my", " brother-in-law"),
    ("My son's wife is my", " daughter-in-law"),
    ("My daughter's husband is my", " son-in-law"),
    ("The mother of my grandmother is my", " great-grandmother"),
    ("Tom's father is Ann's brother, so Ann is Tom's", " aunt"),
    ("Lea's mother is Karl's sister, so Karl is Lea's", " uncle"),
    ("Rita is the mother of Eva's father, so Rita is Eva's", " grandmother"),
    ("Joe's mother and Amy's mother are sisters, so Joe and Amy are", " cousins"),
    ("Carl is the son of Maya's son, so Carl is Maya's", " grandson"),
    ("Nora is married to Sven's brother, so Nora is Sven's", " sister-in-law"),
    ("Paula is the daughter of Hugo's brother, so Paula is Hugo's", " niece"),
    ("Adam's only son is Nils, and Nils has a son, Bo. Bo is Adam's", " grandson"),
    ("Vera married the father of Jack's wife, so to Jack's wife Vera is a", " stepmother"),
    ("Lars is the husband of Erin's daughter, so Lars is Erin's", " son-in-law"),
]
CHAINS = [
    (
        "If the wind drops, the race stops. If the race stops, we go home. The wind drops, so we",
        " go home",
    ),
    (
        "If it freezes, the pipe bursts. If the pipe bursts, the cellar floods. It freezes, so the cellar",
        " floods",
    ),
    ("If Mia sings, Leo dances. If Leo dances, the dog barks. Mia sings, so the dog", " barks"),
    (
        "Frost makes the road slippery. Slippery roads are closed. There is frost, so the road is",
        " closed",
    ),
    ("All terriers are dogs, and all dogs are animals. So every terrier is an", " animal"),
    (
        "All violins are instruments, and all instruments are kept upstairs. So the violins are kept",
        " upstairs",
    ),
    ("Every baker is a cook, and every cook wears a hat. So every baker wears a", " hat"),
    ("Heat melts wax. Melted wax runs. The candle is heated, so its wax", " runs"),
    (
        "If the cat is out, the mice play. If the mice play, grandma wakes. The cat is out, so grandma",
        " wakes",
    ),
    ("Sugar attracts ants, and ants attract birds. So in the end sugar attracts", " birds"),
    ("No star is cold, and every sun is a star. So no sun is", " cold"),
    ("All roses are flowers, and no flower lasts for ever. So no rose lasts", " for ever"),
    ("All the Smiths are tall, and tall people need long beds. So the Smiths need", " long beds"),
    ("Every sonnet is a poem, and every poem here is old. So every sonnet here is", " old"),
    ("All mosses are plants, and all plants need light. So all mosses need", " light"),
    (
        "If the fee rises, Ali quits. If Ali quits, the club closes. The fee rises, so the club",
        " closes",
    ),
    (
        "If the queen sleeps, the guards rest. If the guards rest, thieves come. The queen sleeps, so",
        " thieves come",
    ),
    ("Whoever reads learns, and whoever learns grows wise. Olga reads, so Olga grows", " wise"),
    ("All kings are rulers, and no ruler is free. So no king is", " free"),
]
BACKWARDS = [
    ("If Rex hears a car, he barks. Rex is not barking, so he has not heard a", " car"),
    ("If it had rained, the street would be wet. The street is dry, so it has not", " rained"),
    ("If the lamp were on, the room would be bright. The room is dark, so the lamp is", " off"),
    ("When Ida is at home, her window is open. The window is shut, so Ida is not", " at home"),
    ("Every guest wears a badge. The man by the door has no badge, so he is not a", " guest"),
    ("All swans here are white. That bird is black, so it is not a", " swan"),
    ("If the shop were open, its door would be unlocked. It is locked, so the shop is", " closed"),
    ("Every metal in the lab sinks. This lump floats, so it is not a", " metal"),
    ("If the soup had salt in it, it would taste salty. It does not, so it has no", " salt"),
    ("All spiders have eight legs. This animal has six, so it is not a", " spider"),
    (
        "If the battery were full, the radio would play. The radio is silent, so the battery is not",
        " full",
    ),
    ("All winners get a medal. Jonas got no medal, so he is not a", " winner"),
    (
        "If the plane had landed, Aunt Sue would have called. She has not called, so it has not",
        " landed",
    ),
    ("Everyone who swam has wet hair. Tilda's hair is dry, so she has not", " swum"),
    (
        "When the bread is done, the timer rings. The timer has not rung, so the bread is not",
        " done",
    ),
    ("If he were the king, he would wear the crown. He wears no crown, so he is not the", " king"),
    ("Every square has four equal sides. This shape has not, so it is not a", " square"),
    (
        "If the ship had sunk, we would see wreckage. There is no wreckage, so the ship has not",
        " sunk",
    ),
]
NEGATED = [
    ("It is not true that the shop is not open. So the shop is", " open"),
    ("It is false that the door is not locked. So the door is", " locked"),
    ("It is not the case that the king is not alive. So the king is", " alive"),
    ("It is false that the soup is not hot. So the soup is", " hot"),
    ("That the bridge is unsafe is untrue. So the bridge is", " safe"),
    ("It is not true that the number is not even. So the number is", " even"),
    ("It is a lie that Tim is not married. So Tim is", " married"),
    ("It is wrong to say that the road is not dangerous. So the road is", " dangerous"),
    ("Nothing in the pantry is not fresh. The butter is in the pantry, so it is", " fresh"),
    ("There is no child here who cannot read. Ella is a child here, so Ella can", " read"),
    ("Not one of the guests did not dance. Oscar was a guest, so Oscar", " danced"),
    ("It is impossible that the thief is not the butler. So the thief is", " the butler"),
    ("It is untrue that the twins are not identical. So the twins are", " identical"),
    ("It is false that the medicine is not harmful. So the medicine is", " harmful"),
    ("No room in the inn is not taken. Room nine is in the inn, so it is", " taken"),
]
DAY_NAMES = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
MONTHS = (
    "January February March April May June July August September October November December"
).split()
TURNS = ["north", "east", "south", "west"]


def hard(rng):
    """Both ends ruled out, two of three ruled out, two days on, two turns."""

    def remove():
        thing, (a, b, c) = rng.choice(LOST), draw(rng, PLACES, 3)
        keep = rng.choice([a, b, c])
        x, y = [p for p in (a, b, c) if p != keep]
        return (
            f"The {thing} is in the {a}, {b} or {c}, but not the {x} or {y}, so it is in the",
            keep,
        )

    def middle():
        a, b, c = draw(rng, NAMES, 3)
        word, hi, lo = rng.choice(
            [
                ("taller", "tallest", "shortest"),
                ("older", "oldest", "youngest"),
                ("richer", "richest", "poorest"),
            ]
        )
        return (
            f"{a} is {word} than {b}. {b} is {word} than {c}. Neither the {hi} nor the {lo} is",
            b,
        )

    def second():
        a, b, c, d = draw(rng, NAMES, 4)
        end, answer = rng.choice([("Second", b), ("Third", c)])
        return (
            f"{a} came in ahead of {b}, {b} ahead of {c}, {c} ahead of {d}. {end} place went to",
            answer,
        )

    def days():
        i = rng.randrange(7)
        d = DAY_NAMES
        text, answer = rng.choice(
            [
                (f"Yesterday was {d[i]}, so tomorrow will be", d[(i + 2) % 7]),
                (f"Today is {d[i]}, so the day after tomorrow will be", d[(i + 2) % 7]),
                (f"The day before yesterday was {d[i]}, so today is", d[(i + 2) % 7]),
                (f"Tomorrow will be {d[i]}, so yesterday was", d[(i - 2) % 7]),
            ]
        )
        if rng.random() < 0.4:
            m = rng.randrange(12)
            text, answer = rng.choice(
                [
                    (f"Last month was {MONTHS[m]}, so next month will be", MONTHS[(m + 2) % 12]),
                    (f"It is {MONTHS[m]}. The month after next is", MONTHS[(m + 2) % 12]),
                    (f"Next month is {MONTHS[m]}, so last month was", MONTHS[(m - 2) % 12]),
                ]
            )
        return text, answer

    def turns():
        i = rng.randrange(4)
        a, b = rng.choice(["left", "right"]), rng.choice(["left", "right"])
        j = (i + (1 if a == "right" else -1) + (1 if b == "right" else -1)) % 4
        who, does, face = rng.choice(
            [("I", "turn", "face"), ("she", "turns", "faces"), ("the robot", "turns", "faces")]
        )
        ways = f"{a} twice" if a == b else f"{a} and then {b}"
        return (
            f"Facing {TURNS[i]}, {who} {does} {ways}. Now {who} {face}",
            TURNS[j],
            f"{TURNS[i]} {ways}",
        )

    return [remove, middle, second, days, turns]


def candidates(each=50):
    def row(task, form, group, prompt, target):
        return dict(task=task, form=form, group=group, source="", prompt=prompt, target=target)

    for number, texts in enumerate(EASY):
        for i, (prompt, target) in enumerate(texts):
            yield row("logic_easy", number, f"{number}.{i}", prompt, target)
            for said in (". Therefore ", ". Hence "):
                if ". So " in prompt:
                    yield row(
                        "logic_easy", number, f"{number}.{i}", prompt.replace(". So ", said), target
                    )
    rng, seen = Random("logic_medium"), set()
    for number, form in enumerate(medium(rng)):
        for i in range(each):
            prompt, answer = form()
            if prompt not in seen:
                seen.add(prompt)
                yield row("logic_medium", number, f"{number}.{i}", prompt, " " + answer)
    for number, texts in enumerate([KIN, CHAINS, BACKWARDS, NEGATED]):
        for i, (prompt, target) in enumerate(texts):
            yield row("logic_hard", number, f"{number}.{i}", prompt, target)
    rng = Random("logic_hard")
    for number, form in enumerate(hard(rng), start=4):
        for i in range(each):
            prompt, answer, *fact = form()
            if prompt not in seen:
                seen.add(prompt)
                yield row(
                    "logic_hard", number, fact[0] if fact else f"{number}.{i}", prompt, " " + answer
                )


if __name__ == "__main__":
    import collections

    rows = list(candidates())
    print(len(rows), collections.Counter((r["task"], r["form"]) for r in rows))
    for form in range(11):
        print(next(r for r in rows if r["task"] == "logic_medium" and r["form"] == form))
    for form in range(9):
        print(next(r for r in rows if r["task"] == "logic_hard" and r["form"] == form))
