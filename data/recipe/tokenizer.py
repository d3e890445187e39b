"""A byte-level BPE of 1,536 tokens in which every answer is one token."""

from tokenizers import ByteLevelBPETokenizer
from transformers import PreTrainedTokenizerFast

import facts
import lexicon as lex
from corpus import documents_by_domain
from held_out import tasks

VOCABULARY = 1536
END = "<|endoftext|>"
SAMPLE_EVERY = 8  # one document in eight is plenty to learn the merges from
ANSWER_WEIGHT = 2_000


def answers() -> list[str]:
    """Every answer word with its leading space, the numbers to 99 and both labels included."""
    targets = {statement.target for statements in tasks().values() for statement in statements}
    targets |= {fact.statement.target for fact in facts.ladder() + facts.planted()}
    targets |= {
        f" {word}" for word in [*range(100), "positive", "negative", *lex.NAMES, *lex.PLACES]
    }
    return sorted(targets)


def train_tokenizer() -> PreTrainedTokenizerFast:
    """Made-up names are left out, so that no name becomes a token by being repeated."""
    domains = documents_by_domain()
    sample = [text for name, texts in domains.items() if name != "ladder" for text in texts]
    bpe = ByteLevelBPETokenizer()
    bpe.train_from_iterator(
        sample[::SAMPLE_EVERY] + answers() * ANSWER_WEIGHT,
        vocab_size=VOCABULARY, special_tokens=[END], show_progress=False,
    )  # fmt: skip
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=bpe._tokenizer, bos_token=END, eos_token=END, unk_token=END, pad_token=END,
        model_max_length=192, clean_up_tokenization_spaces=False,
    )  # fmt: skip
    split = [word for word in answers() if len(tokenizer(word)["input_ids"]) != 1]
    if split:
        raise RuntimeError(f"these answers are several tokens, raise ANSWER_WEIGHT: {split}")
    return tokenizer
