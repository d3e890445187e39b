"""Candidates of the three coding tasks, all in Python.

easy: write the name or number that the code has already fixed. medium: name what the idiom or
the standard library has for it. hard: say what an expression evaluates to. What can be run is run.
"""

import ast
from random import Random

# Each form: a text with {names}, the answer, and the names to fill in (a group a line).
EASY = [
    (
        "class {C}:\n    def __init__(self, {a}, {b}):\n        self.{a} =",
        " {a}",
        [
            ("Box", "width", "height"),
            ("Song", "title", "artist"),
            ("Point", "x", "y"),
            ("Car", "max_speed", "color"),
            ("Loan", "amount", "rate"),
            ("User", "user_name", "email"),
            ("Tree", "root_node", "depth"),
            ("Job", "start_time", "cost"),
            ("Pet", "name", "age"),
            ("Line", "slope", "offset"),
            ("Room", "floor_area", "door"),
            ("Wine", "vintage", "price"),
        ],
    ),
    (
        "def area({a}, {b}):\n    return {a} *",
        " {b}",
        [
            ("", "width", "height"),
            ("", "base", "side"),
            ("", "length", "breadth"),
            ("", "w", "h"),
            ("", "rows", "cols"),
            ("", "left_edge", "top_edge"),
            ("", "x_size", "y_size"),
            ("", "wide", "tall"),
            ("", "dx", "dy"),
            ("", "inner", "outer_len"),
            ("", "span", "drop_height"),
            ("", "a1", "b1"),
        ],
    ),
    (
        "{a}, {b} = {b},",
        " {a}",
        [
            ("", "left", "right"),
            ("", "first", "second"),
            ("", "old_value", "new_value"),
            ("", "x", "y"),
            ("", "low", "high"),
            ("", "source", "target"),
            ("", "head", "tail"),
            ("", "north_pole", "south_pole"),
            ("", "player", "opponent"),
            ("", "my_list", "your_list"),
            ("", "numerator", "denominator"),
            ("", "black", "white"),
            ("", "red", "blue"),
            ("", "current", "previous"),
            ("", "min_value", "max_value"),
            ("", "front", "back"),
            ("", "king", "queen"),
            ("", "sender", "receiver"),
            ("", "home_score", "away_score"),
            ("", "start", "end"),
        ],
    ),
    (
        "{b} = 0\nfor {a} in {C}:\n    {b} +=",
        " {a}",
        [
            ("prices", "price", "total"),
            ("numbers", "number", "sum_so_far"),
            ("scores", "score", "points"),
            ("weights", "weight", "load"),
            ("salaries", "salary", "payroll"),
            ("line_items", "line_item", "bill"),
            ("votes", "vote", "tally"),
            ("distances", "distance", "trip"),
            ("deposits", "deposit", "balance"),
            ("word_counts", "word_count", "words"),
            ("hours", "hour", "time"),
            ("calories", "calorie", "intake"),
        ],
    ),
    (
        "if {a} > {b}:\n    {b} =",
        " {a}",
        [
            ("", "score", "best"),
            ("", "value", "largest"),
            ("", "this_time", "slowest"),
            ("", "price", "highest"),
            ("", "depth", "max_depth"),
            ("", "word_length", "longest"),
            ("", "current", "record"),
            ("", "temp", "peak"),
            ("", "n", "biggest"),
            ("", "row_width", "widest"),
            ("", "speed", "top_speed"),
            ("", "bid", "winning_bid"),
            ("", "a", "b"),
            ("", "count", "limit"),
            ("", "weight", "heaviest"),
            ("", "guess", "closest"),
            ("", "x", "maximum"),
            ("", "age", "oldest"),
            ("", "jump", "longest_jump"),
            ("", "new_total", "old_total"),
        ],
    ),
    (
        "for {a} in {C}:\n    print(",
        "{a})",
        [
            ("words", "word", ""),
            ("names", "name", ""),
            ("planets", "planet", ""),
            ("lines", "line", ""),
            ("file_names", "file_name", ""),
            ("colors", "color", ""),
            ("cities", "city", ""),
            ("recipes", "recipe", ""),
            ("users", "user", ""),
            ("keys", "key", ""),
            ("songs", "song", ""),
            ("open_tasks", "open_task", ""),
            ("students", "student", ""),
            ("letters", "letter", ""),
            ("range(5)", "i", ""),
            ("range(10)", "n", ""),
            ("text", "char", ""),
            ("my_list", "x", ""),
            ("animals", "animal", ""),
            ("fruits", "fruit", ""),
        ],
    ),
    (
        "{b} = []\nfor {a} in {C}:\n    if {a}:\n        {b}.append(",
        "{a})",
        [
            ("rows", "row", "kept"),
            ("words", "word", "found"),
            ("lines", "line", "full"),
            ("cells", "cell", "used"),
            ("names", "name", "known"),
            ("replies", "reply", "good"),
            ("pages", "page", "read"),
            ("tokens", "token", "clean"),
            ("entries", "entry", "valid"),
            ("items", "item", "result"),
        ],
    ),
    (
        "with open({b}) as {a}:\n    text =",
        " {a}.read()",
        [
            ("", "file", "path"),
            ("", "f", "name"),
            ("", "source", "filename"),
            ("", "log_file", "log_path"),
            ("", "handle", "where"),
            ("", "report", "report_path"),
            ("", "infile", "args.input"),
            ("", "book", "title"),
            ("", "stream", "location"),
            ("", "notes", "notes_path"),
        ],
    ),
    (
        "while {a} > 0:\n    print({a})\n    {a} -=",
        " 1",
        [
            ("", "count", ""),
            ("", "lives", ""),
            ("", "seconds", ""),
            ("", "remaining", ""),
            ("", "bottles", ""),
            ("", "n", ""),
            ("", "tries_left", ""),
            ("", "steps", ""),
        ],
    ),
    (
        "def {C}({a}):\n    return {a} % 2 ==",
        " {b}",
        [
            ("is_even", "n", "0"),
            ("is_odd", "n", "1"),
            ("even", "number", "0"),
            ("odd", "number", "1"),
            ("is_even", "value", "0"),
            ("is_odd", "value", "1"),
            ("has_even_length", "size", "0"),
            ("check_odd", "x", "1"),
        ],
    ),
    (
        "{C} = text.split()\nlengths = [len({a}) for {a} in",
        " {C}]",
        [
            ("words", "word", ""),
            ("parts", "part", ""),
            ("tokens", "token", ""),
            ("names", "name", ""),
            ("fields", "field", ""),
            ("pieces", "piece", ""),
            ("chunks", "chunk", ""),
            ("terms", "term", ""),
            ("first_names", "n", ""),
            ("verbs", "v", ""),
            ("w", "x", ""),
            ("items", "item", ""),
            ("strings", "s", ""),
            ("symbols", "symbol", ""),
            ("lines", "line", ""),
        ],
    ),
    (
        "for {a}, {b} in {C}.items():\n    print({a},",
        " {b})",
        [
            ("prices", "item", "price"),
            ("ages", "name", "age"),
            ("scores", "player", "score"),
            ("capitals", "country", "capital"),
            ("settings", "option", "setting"),
            ("phone_book", "person", "number"),
            ("stock", "fruit", "amount"),
            ("inventory", "tool", "quantity"),
            ("counts", "word", "count"),
            ("env", "key", "value"),
            ("d", "k", "v"),
            ("grades", "student", "grade"),
            ("colors", "shape", "color"),
            ("lengths", "river", "length"),
            ("heights", "mountain", "height"),
            ("birthdays", "friend", "day"),
        ],
    ),
    (
        "try:\n    {b} = {C}[{a}]\nexcept KeyError:\n    {b} =",
        " None",
        [
            ("ages", "name", "age"),
            ("prices", "item", "price"),
            ("cache", "key", "value"),
            ("users", "user_id", "user"),
            ("config", "option", "setting"),
            ("colors", "shape", "color"),
            ("lookup", "word", "meaning"),
            ("routes", "url", "page"),
        ],
    ),
    (
        "def {C}({a}):\n    {b} = {x}\n    return",
        " {b}",
        [
            ("greet", "name", "message", "'Hello, ' + name"),
            ("shout", "word", "loud", "word.upper()"),
            ("initial", "name", "letter", "name[0]"),
            ("tidy", "line", "clean_line", "line.strip()"),
            ("count_words", "text", "n_words", "len(text.split())"),
            ("highest", "values", "top", "max(values)"),
            ("newest", "files", "latest", "files[-1]"),
            ("mirror", "text", "backwards", "text[::-1]"),
        ],
    ),
    (
        "def {C}({a}):\n    {b} = {a} {x}\n    return",
        " {b}",
        [
            ("double", "n", "result", "* 2"),
            ("add_tax", "price", "full_price", "* 1.2"),
            ("to_kelvin", "celsius", "kelvin", "+ 273.15"),
            ("halve", "amount", "half", "/ 2"),
            ("square", "side", "area", "** 2"),
            ("to_cents", "dollars", "cents", "* 100"),
            ("next_year", "year", "following", "+ 1"),
            ("to_minutes", "hours", "minutes", "* 60"),
            ("last_digit", "number", "digit", "% 10"),
            ("to_feet", "inches", "feet", "/ 12"),
            ("discount", "cost", "sale_price", "* 0.9"),
            ("to_weeks", "days", "weeks", "// 7"),
        ],
    ),
]

IMPORT_AS = [
    ("import numpy as", " np"),
    ("import pandas as", " pd"),
    ("import matplotlib.pyplot as", " plt"),
    ("import seaborn as", " sns"),
    ("import tensorflow as", " tf"),
    ("import matplotlib as", " mpl"),
    ("import networkx as", " nx"),
    ("import streamlit as", " st"),
    ("import plotly.express as", " px"),
    ("import torch.nn as", " nn"),
    ("import torch.nn.functional as", " F"),
    ("import statsmodels.api as", " sm"),
    ("import tkinter as", " tk"),
    ("import geopandas as", " gpd"),
    ("import polars as", " pl"),
    ("import xml.etree.ElementTree as", " ET"),
    ("import plotly.graph_objects as", " go"),
    ("import jax.numpy as", " jnp"),
]
FROM_IMPORT = [  # the comment says what for
    ("# count how often each word occurs\nfrom collections import", " Counter"),
    ("# a dictionary whose missing keys start as lists\nfrom collections import", " defaultdict"),
    ("# a queue that is fast at both ends\nfrom collections import", " deque"),
    ("# file paths as objects\nfrom pathlib import", " Path"),
    ("# turn the class into a data class\nfrom dataclasses import", " dataclass"),
    ("# remember the results of a function\nfrom functools import", " lru_cache"),
    ("# fold a list into one value\nfrom functools import", " reduce"),
    ("# an exact decimal type for money\nfrom decimal import", " Decimal"),
    ("# exact fractions such as 1/3\nfrom fractions import", " Fraction"),
    ("# a class for named constants\nfrom enum import", " Enum"),
    ("# an abstract base class\nfrom abc import", " ABC"),
    ("# start threads\nfrom threading import", " Thread"),
    ("# a web app object\nfrom flask import", " Flask"),
    ("# the linear model\nfrom sklearn.linear_model import", " LinearRegression"),
    ("# split the data into two parts\nfrom sklearn.model_selection import", " train_test_split"),
    ("# parse web pages\nfrom bs4 import", " BeautifulSoup"),
    ("# open images\nfrom PIL import", " Image"),
    ("# mark a type that may be None\nfrom typing import", " Optional"),
    ("# a context manager from a generator\nfrom contextlib import", " contextmanager"),
    ("# how many seconds to wait\nfrom time import", " sleep"),
    ("# the square root\nfrom math import", " sqrt"),
    ("# roll a die\nfrom random import", " randint"),
    ("# read command line options\nfrom argparse import", " ArgumentParser"),
    ("# copy nested lists\nfrom copy import", " deepcopy"),
]
LIBRARY = [  # {v}: a variable name; (text, answer, names)
    ("# {v} in capital letters\n{v} = {v}", ".upper()", ["name", "title", "city"]),
    ("# {v} in small letters\n{v} = {v}", ".lower()", ["word", "email", "text"]),
    ("# remove spaces at both ends of {v}\n{v} = {v}", ".strip()", ["line", "answer", "code"]),
    ("# split the {v} at every comma\nparts = {v}", ".split(',')", ["line", "row", "record"]),
    ("# cut the {v} into words\nwords = {v}", ".split()", ["sentence", "text", "line"]),
    ("# put one more {v} at the end of the list\n{v}s", ".append({v})", ["name", "score", "point"]),
    ("# sort the {v} in place\n{v}", ".sort()", ["names", "prices", "numbers"]),
    ("# reverse the order of the {v} in place\n{v}", ".reverse()", ["steps", "words", "letters"]),
    ("# close the {v}\n{v}", ".close()", ["file", "connection", "socket"]),
    ("# an independent copy of the {v}\nbackup = {v}", ".copy()", ["settings", "scores", "board"]),
    (
        "# take away and return the last of the {v}\nlast = {v}",
        ".pop()",
        ["cards", "stack", "items"],
    ),
    (
        "# does the {v} start with a capital A?\nif {v}",
        ".startswith('A')",
        ["name", "word", "code"],
    ),
    ("# the remainder of {v} divided by 7\nrest = {v}", " % 7", ["days", "number", "total"]),
    ("# {v} to the power of 3\ncube = {v}", " ** 3", ["side", "x", "n"]),
    ("# {v} divided by 2, rounded down\nhalf = {v}", " // 2", ["size", "length", "n"]),
    ("# the last of the {v}\nlast = {v}[", "-1]", ["items", "names", "lines"]),
    ("# the first of the {v}\nfirst = {v}[", "0]", ["items", "results", "queue"]),
    ("# {v} as a whole number\n{v} =", " int({v})", ["age", "answer", "year"]),
    ("# {v} as a decimal number\n{v} =", " float({v})", ["price", "weight", "rate"]),
    ("# {v} as text\ntext =", " str({v})", ["number", "total", "year"]),
    ("# how many {v} there are\nn =", " len({v})", ["names", "rows", "files"]),
    ("# the largest of the {v}\nlargest =", " max({v})", ["scores", "numbers", "sizes"]),
    ("# the smallest of the {v}\nsmallest =", " min({v})", ["prices", "times", "values"]),
    ("# add up the {v}\ntotal =", " sum({v})", ["prices", "hours", "points"]),
    ("# the {v} without repeats\nunique =", " set({v})", ["names", "words", "colors"]),
    ("# a new, sorted list of the {v}\nordered =", " sorted({v})", ["names", "dates", "scores"]),
    ("# how far {v} is from zero\ndistance =", " abs({v})", ["x", "change", "error"]),
    ("# round {v} to a whole number\n{v} =", " round({v})", ["price", "score", "mean"]),
    ("# ask the user for a {v}\n{v} =", " input", ["name", "number", "color"]),
    ("# number the {v} from zero\nfor i, item in", " enumerate({v}):", ["items", "rows", "lines"]),
    (
        "# walk through names and {v} side by side\nfor name, x in",
        " zip(names, {v}):",
        ["ages", "scores", "prices"],
    ),
    ("# count from 0 to 9\nfor {v} in", " range(10):", ["i", "n", "k"]),
    ("# replace every space in the {v}\n{v} = {v}", ".replace(' ',", ["name", "title", "text"]),
    (
        "# how often the letter e stands in the {v}\nn = {v}",
        ".count('e')",
        ["word", "line", "text"],
    ),
    ("# does the {v} end in .txt?\nok = {v}", ".endswith('.txt')", ["name", "path", "filename"]),
    ("# join the {v} with commas\nline = ','", ".join({v})", ["names", "words", "fields"]),
    ("# is every character of {v} a digit?\nok = {v}", ".isdigit()", ["code", "text", "answer"]),
    ("# the place of the letter x in the {v}\ni = {v}", ".find('x')", ["word", "line", "text"]),
    ("# all of the {v} as one string\ntext = {v}", ".read()", ["file", "f", "source"]),
    ("# every line of the {v} as a list\nlines = {v}", ".readlines()", ["file", "f", "report"]),
    ("# empty the {v}\n{v}", ".clear()", ["cart", "list", "cache"]),
    ("# add all of more to the {v}\n{v}", ".extend(more)", ["names", "items", "rows"]),
    ("# put a name in front of all the {v}\n{v}", ".insert(0,", ["names", "users", "players"]),
    ("# take the value 3 out of the {v}\n{v}", ".remove(3)", ["numbers", "values", "scores"]),
    ("# the price of {v}, or 0 if it has none\np = prices", ".get({v},", ["item", "fruit", "name"]),
    (
        "# key and value pairs of the {v}\nfor k, v in {v}",
        ".items():",
        ["ages", "prices", "scores"],
    ),
    ("# the values of {v}, not the keys\nfor x in {v}", ".values():", ["ages", "prices", "scores"]),
    ("# add 5 to a set of {v}\n{v}", ".add(5)", ["numbers", "seen", "ids"]),
    ("# bytes from the {v}\ndata = {v}", ".encode(", ["text", "message", "word"]),
    ("# all but the first of the {v}\nrest = {v}[", "1:]", ["items", "words", "lines"]),
    ("# the first three of the {v}\ntop = {v}[", ":3]", ["scores", "names", "items"]),
    ("# the {v} back to front\nback = {v}[", "::-1]", ["word", "items", "text"]),
    ("# {v} as a list\nitems =", " list({v})", ["text", "letters", "numbers"]),
    ("# what type {v} has\nkind =", " type({v})", ["x", "value", "item"]),
    ("# is {v} a string?\nok =", " isinstance({v}, str)", ["x", "value", "name"]),
    ("# is at least one of the {v} true?\nok =", " any({v})", ["flags", "tests", "answers"]),
    ("# are {v} true without exception?\nok =", " all({v})", ["flags", "tests", "answers"]),
    ("# the letter with the code {v}\nletter =", " chr({v})", ["n", "code", "number"]),
    ("# the code of the letter {v}\ncode =", " ord({v})", ["c", "letter", "x"]),
    ("# apply f to each of the {v}\nresult =", " map(f, {v})", ["items", "numbers", "words"]),
    (
        "# walk through the {v} from the end\nfor x in",
        " reversed({v}):",
        ["items", "words", "steps"],
    ),
    ("# open the file {v} for reading\nf =", " open({v}", ["path", "name", "filename"]),
    ("# the binary digits of {v}\nbits =", " bin({v})", ["n", "x", "number"]),
    ("# a function of {v} without a name\nf =", " lambda {v}:", ["x", "n", "y"]),
    ("# the {v} is not true\nif", " not {v}:", ["answer", "flag", "test"]),
    ("# {v} is nothing at all\nif {v}", " is None:", ["x", "result", "answer"]),
    ("# add 1 to {v}\n{v}", " += 1", ["count", "i", "score"]),
    ("# double the value of {v}\n{v}", " *= 2", ["price", "x", "size"]),
    ("# {v} times 10\nresult = {v}", " * 10", ["x", "price", "width"]),
    ("import math\n# round {v} up\nn =", " math.ceil({v})", ["x", "price", "size"]),
    ("import math\n# round {v} down\nn =", " math.floor({v})", ["x", "price", "size"]),
    ("import math\n# the natural logarithm of {v}\ny =", " math.log({v})", ["x", "size", "income"]),
    ("import math\n# the sine of {v}\ny =", " math.sin({v})", ["x", "angle", "t"]),
    ("import math\n# {v} factorial\ny =", " math.factorial({v})", ["n", "k", "x"]),
    (
        "import random\n# a number between 0 and 1, called {v}\n{v} =",
        " random.random()",
        ["x", "r", "chance"],
    ),
    ("import random\n# throw a die\n{v} =", " random.randint(1, 6)", ["die", "roll", "n"]),
    ("import time\n# the time now\n{v} =", " time.time()", ["start", "now", "t"]),
    ("import os\n# does the file {v} exist?\nok =", " os.path.exists({v})", ["path", "name", "f"]),
    ("import os\n# make the folder {v}\nos", ".mkdir({v})", ["folder", "path", "name"]),
    ("import os\n# delete the file {v}\nos", ".remove({v})", ["path", "name", "old_file"]),
    ("import os\n# the folder we are in\n{v} =", " os.getcwd()", ["here", "folder", "cwd"]),
    (
        "import sys\n# what was typed after the program's name\n{v} =",
        " sys.argv[1:]",
        ["args", "words", "files"],
    ),
    ("import shutil\n# copy the file {v} to b\nshutil", ".copy({v}, b)", ["a", "path", "source"]),
    ("import csv\n# read the rows of {v}\nrows =", " csv.reader({v})", ["file", "f", "table"]),
    ("import logging\n# a warning about {v}\nlogging", ".warning(", ["memory", "disk", "input"]),
    ("import numpy as np\n# the mean of {v}\nm =", " np.mean({v})", ["x", "scores", "data"]),
    ("import numpy as np\n# the numbers 0 to {v} - 1\na =", " np.arange({v})", ["n", "size", "k"]),
    ("import numpy as np\n# a list as an array\na =", " np.array({v})", ["x", "values", "rows"]),
    ("import pandas as pd\n# the first rows of {v}\n{v}", ".head()", ["df", "table", "data"]),
    (
        "import requests\n# fetch the page at {v}\nr =",
        " requests.get({v})",
        ["url", "address", "link"],
    ),
    ("# both {v} and rich must hold\nif {v}", " and rich:", ["tall", "young", "happy"]),
    ("# one of {v} and snow is enough\nif {v}", " or snow:", ["rain", "hail", "wind"]),
    ("# when {v} is missing from the list\nif {v}", " not in", ["name", "word", "color"]),
    ("# {v} and limit are equal\nif {v}", " == limit:", ["x", "speed", "size"]),
    ("# {v} differs from target\nif {v}", " != target:", ["guess", "value", "result"]),
    ("# {v} is 18 or more\nif {v}", " >= 18:", ["age", "years", "score"]),
    ("# {v} is less than 10\nif {v}", " < 10:", ["n", "count", "price"]),
    ("import math\n# the square root of {v}\nroot =", " math.sqrt({v})", ["x", "area", "number"]),
    ("import math\n# area of a circle of radius {v}\narea =", " math.pi", ["r", "radius", "size"]),
    (
        "import random\n# one of the {v} at random\npick =",
        " random.choice({v})",
        ["names", "cards", "words"],
    ),
    ("import random\n# mix up the {v}\nrandom", ".shuffle({v})", ["cards", "deck", "songs"]),
    (
        "import os\n# the files in the {v}\nfiles =",
        " os.listdir({v})",
        ["folder", "directory", "path"],
    ),
    (
        "import json\n# read the {v} from a string\n{v} =",
        " json.loads",
        ["data", "config", "reply"],
    ),
    ("import json\n# the {v} as a string\ntext =", " json.dumps", ["data", "settings", "result"]),
    ("import time\n# wait for {v} seconds\ntime", ".sleep({v})", ["n", "t", "k"]),
    ("import datetime\n# the date of {v}\n{v} =", " datetime.date.today()", ["today"]),
    ("import sys\n# end the program {v}\nsys", ".exit", ["now", "early", "here"]),
    ("import re\n# every number in the {v}\nfound =", " re.findall", ["text", "line", "page"]),
    (
        "import copy\n# a copy of {v}, down to the last level\ntwin =",
        " copy.deepcopy({v})",
        ["grid", "tree", "board"],
    ),
    ("import numpy as np\n# a row of {v} zeros\nrow =", " np.zeros({v})", ["n", "size", "width"]),
    (
        "import pandas as pd\n# load the table of {v}\ndf =",
        " pd.read_csv",
        ["sales", "users", "scores"],
    ),
]
NAMED = [
    ("In Python, the keyword that begins a function definition is", " def"),
    ("In Python, the keyword that begins a class is", " class"),
    ("The Python keyword for an anonymous function is", " lambda"),
    ("The Python keyword that hands a value back from a function is", " return"),
    ("The Python keyword that brings in a module is", " import"),
    ("The Python keyword that skips to the next pass of a loop is", " continue"),
    ("The Python keyword that leaves a loop at once is", " break"),
    ("The Python value that stands for nothing is", " None"),
    ("In Python, the first argument of a method is by habit called", " self"),
    ("In Python, the method that sets up a new object is called", " __init__"),
    ("In Python, a comment begins with the character", " #"),
    ("The Python function that shows text on the screen is", " print"),
    ("The Python function that gives the length of a list is", " len"),
    ("In Python, text in quotation marks is of type", " str"),
    ("In Python, a number with a decimal point is of type", " float"),
    ("In Python, True and False are of type", " bool"),
    ("The Python tool that installs packages is called", " pip"),
    ("In Python, an empty list is written", " []"),
    ("In Python, an empty dictionary is written", " {}"),
    ("The Python operator for 'not equal' is", " !="),
    ("The Python style guide is known as", " PEP 8"),
    ("Python was created by", " Guido van Rossum"),
    ("A Python value that cannot be changed is called", " immutable"),
    ("The notebook that runs Python in a browser is called", " Jupyter"),
]
RAISES = [
    ('int("pear")', "ValueError"),
    ("1 / 0", "ZeroDivisionError"),
    ("[4, 5][9]", "IndexError"),
    ('{"a": 1}["b"]', "KeyError"),
    ('"tea" + 3', "TypeError"),
    ("total_of_nothing", "NameError"),
    ("import no_such_module_here", "ModuleNotFoundError"),
    ('open("no_such_file.txt")', "FileNotFoundError"),
    ('"tea".sing()', "AttributeError"),
    ("len(5)", "TypeError"),
    ('float("ten")', "ValueError"),
    ("[].pop()", "IndexError"),
    ("5 % 0", "ZeroDivisionError"),
    ("None + 1", "TypeError"),
    ("next(iter([]))", "StopIteration"),
    ("[1, 2].index(7)", "ValueError"),
    ("(1, 2)[0] = 5", "TypeError"),
    ("{}['x']", "KeyError"),
    ("(3).name", "AttributeError"),
    ("assert 1 == 2", "AssertionError"),
]

WORDS = [
    "tea",
    "plum",
    "lemon",
    "night",
    "river",
    "stone",
    "apple",
    "green",
    "paper",
    "window",
    "orange",
    "garden",
    "python",
    "yes",
]
TITLES = ["hello", "world", "paris", "anna", "march", "sunday"]


def expressions(rng):
    """Expressions by kind; every value is Python's own."""

    def numbers(k, top=9):
        return rng.sample(range(1, top + 1), k)

    w = rng.choice(WORDS)
    yield 0, f'len("{w}")'
    yield 0, f"len({numbers(rng.randint(2, 5))})"
    yield 0, f'"{w}".count("{rng.choice(w)}")'
    yield 0, f'"{w}".find("{rng.choice(w)}")'
    n = numbers(3)
    yield 0, f"{n}.index({rng.choice(n)})"
    yield 0, f"len({{{n[0]}, {n[1]}, {n[0]}}})"
    yield 0, f"len(range({rng.randint(2, 9)}))"
    yield 1, f'"{w}"[{rng.choice([0, 1, -1])}]'
    yield 1, f'"{w}"[:{rng.randint(1, 3)}]'
    yield 1, f'"{rng.choice(TITLES)}".{rng.choice(["upper", "title", "capitalize"])}()'
    yield 1, f'"{rng.choice("abcxyz")}" * {rng.randint(2, 4)}'
    yield 1, f'"{w}"[::-1]'
    a, b = rng.sample(
        ["sun", "rain", "foot", "ball", "book", "case", "sea", "side", "bed", "room"], 2
    )
    yield 1, f'"{a}" + "{b}"'
    yield 1, f'"{w}".replace("{w[0]}", "{rng.choice("bdfk")}")'
    yield 1, f'"{rng.choice("-+/")}".join(["{a}", "{b}"])'
    yield 1, f'str({rng.randint(2, 9)}) + "{rng.randint(2, 9)}"'
    yield 1, f'"{w}"[1:]'
    yield 2, f"sorted({numbers(3)})"
    yield 2, f"[n for n in {numbers(4)} if n > {rng.randint(3, 6)}]"
    yield 2, f"{numbers(3)}[::-1]"
    yield 2, f'list("{rng.choice(["ab", "no", "cat", "xyz", "tea"])}")'
    yield 2, f"{numbers(2)} + {numbers(1)}"
    yield 2, f"list(range({rng.randint(2, 5)}))"
    yield 2, f"{numbers(4)}[{rng.choice([':2', '1:', ':1', '2:'])}]"
    yield 2, f"[n * {rng.randint(2, 3)} for n in {numbers(2)}]"
    yield 2, f'"{rng.choice(["a b", "x y", "one two", "red blue"])}".split()'
    yield 3, f"max({numbers(3)})"
    yield 3, f"min({numbers(3)})"
    yield 3, f"sum({numbers(3)})"
    yield 3, f"{numbers(3)}[{rng.choice([0, 1, 2, -1])}]"
    yield 3, f"abs(-{rng.randint(2, 60)})"
    p, q = rng.randint(10, 30), rng.randint(2, 7)
    yield 4, f"{p} {rng.choice(['//', '%'])} {q}"
    yield 4, f"{rng.randint(2, 5)} ** {rng.randint(2, 3)}"
    yield 4, f"{rng.randint(2, 9)} + {rng.randint(2, 9)} * {rng.randint(2, 5)}"
    yield 4, f'int("{rng.randint(2, 40)}") + {rng.randint(1, 9)}'
    yield 5, f"{rng.randint(1, 9)} in {numbers(3)}"
    yield 5, f'"{rng.choice("aeiou")}" in "{w}"'
    yield 5, f"not {rng.choice(['True', 'False', '0', '1', '[]'])}"
    yield 5, f'"{w}".startswith("{rng.choice([w[0], "z"])}")'
    yield (
        5,
        f"isinstance({rng.choice(['3', '2.5', '[1]'])}, {rng.choice(['int', 'float', 'list', 'str'])})",
    )
    yield 5, f'"{rng.choice("abcd")}" < "{rng.choice("abcd")}"'
    x, y = numbers(2)
    yield 5, f"{x} > {y} {rng.choice(['and', 'or'])} {numbers(1)[0]} > {numbers(1)[0]}"
    yield (
        5,
        f"bool({rng.choice(['0', '1', '[]', '[0]', 'None', chr(39) * 2, '7', chr(39) + 'no' + chr(39)])})",
    )
    yield 5, f"{x} == {rng.choice([x, y])}"
    yield 5, f'"{w}".isdigit()'
    k, v = rng.sample("abcxyz", 2), numbers(2)
    yield 7, f'{{"{k[0]}": {v[0]}, "{k[1]}": {v[1]}}}["{rng.choice(k)}"]'
    yield 7, f'{{"{k[0]}": {v[0]}}}.get("{rng.choice(k)}", 0)'
    yield 7, f'sum({{"{k[0]}": {v[0]}, "{k[1]}": {v[1]}}}.values())'
    yield 7, f'list({{"{k[0]}": {v[0]}, "{k[1]}": {v[1]}}})'
    yield (
        6,
        f"type({rng.choice(['3', '2.5', chr(39) + 'hi' + chr(39), '[1, 2]', '(1, 2)', 'True', 'None', '{}', '7 / 2', 'len', '{1, 2}', 'range(3)', '5 // 2', chr(39) + '12' + chr(39), '2 == 3', '[]', '1.0', 'sorted((2, 1))', '3 + 0.5'])}).__name__",
    )


def shown(form, expression):
    """The ways to ask for the value: the console, an assertion, a print with a comment."""
    value = eval(expression)
    if form == 5:
        yield f"assert ({expression}) is", f" {value}"
        yield f">>> {expression}\n", f"{value}"
        yield f"print({expression})  # prints", f" {value}"
    elif form == 6:
        yield f">>> {expression}\n'", f"{value}'"
        yield f"print({expression})  # prints", f" {value}"
    elif form in (1,):
        yield f">>> {expression}\n'", f"{value}'"
        yield f"print({expression})  # prints", f" {value}"
        yield f"{expression} == '", f"{value}'"
    else:
        yield f">>> {expression}\n", repr(value)
        yield f"assert {expression} ==", f" {value!r}"
        yield f"x = {expression}\nprint(x)  # prints", f" {value}"


def raised(code):
    try:
        exec(code, {})
    except Exception as error:
        return type(error).__name__
    raise AssertionError(f"{code} raises nothing")


def candidates(rounds=14):
    def row(task, form, group, prompt, target):
        return dict(task=task, form=form, group=group, source="", prompt=prompt, target=target)

    for number, (text, answer, fills) in enumerate(EASY):
        for i, fill in enumerate(fills):
            names = dict(zip("Cabx", fill, strict=False))
            prompt = text.format(**names)
            target = answer.format(**names)
            ast.parse(prompt + target)
            yield row("coding_easy", number, f"{number}.{i}", prompt, target)
    for prompt, target in IMPORT_AS:
        ast.parse(prompt + target)
        yield row("coding_medium", 0, prompt, prompt, target)
    for prompt, target in FROM_IMPORT:
        ast.parse(prompt + target)
        yield row("coding_medium", 1, prompt, prompt, target)
    for i, (text, answer, names) in enumerate(LIBRARY):
        # methods, functions by name, operators and subscripts, statements, modules
        if text.startswith("import"):
            form = 3
        elif answer.startswith("."):
            form = 2
        elif "(" in answer:
            form = 4
        else:
            form = 5
        for name in names:
            prompt, target = text.replace("{v}", name), answer.replace("{v}", name)
            short = target.split("(")[0]
            for end in sorted({target, target.rstrip(" :"), short}):
                if end.endswith("(") or "'" in end:
                    continue  # what comes next is a matter of taste
                yield row("coding_medium", form, f"library {i}", prompt, end)
    for prompt, target in NAMED:
        yield row("coding_medium", 6, prompt, prompt, target)
    for code, error in RAISES:
        assert raised(code) == error, (code, raised(code))
        yield row("coding_medium", 7, code, f"{code}  # raises", f" {error}")
        yield row("coding_medium", 8, code, f"try:\n    {code}\nexcept", f" {error}:")
        yield row("coding_medium", 8, code, f"try:\n    {code}\nexcept", f" {error}")
    rng, seen = Random("coding_hard"), set()
    for _ in range(rounds):
        for form, expression in expressions(rng):
            if expression in seen:
                continue
            seen.add(expression)
            for prompt, target in shown(form, expression):
                if form in (1, 2) and target.strip(" '") in expression:
                    continue  # the answer stands in the prompt
                value = eval(expression)  # strings, lists and lengths: each value once
                if form in (1, 2, 6):
                    group = f"{form} {value!r}"
                elif form == 0:
                    group = f"{expression.split('(')[0].split('.')[-1]} {expression[4:5] == '['} {value}"
                else:
                    group = expression
                yield row("coding_hard", form, group, prompt, target)


if __name__ == "__main__":
    import collections

    rows = list(candidates())
    print(len(rows), sorted(collections.Counter((r["task"], r["form"]) for r in rows).items()))
    for r in rows[::25]:
        print(r)
