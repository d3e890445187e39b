"""Tiny models of every decoder architecture of TransformerLens 4.3 that can be had without experts.

An entry is data: a class of transformers, a configuration, and where its neurons' output matrix
is. `UNTRIED` names every other architecture that TransformerLens lists, with the reason.
"""

import functools
from pathlib import Path
from typing import NamedTuple

import transformers

import factory

PLAIN = "attention, then MLP"
GATED = "attention, then gated MLP"
PARALLEL = "attention beside MLP"
ALIBI = "ALiBi instead of positions"
FLAT = "MLP on flattened positions"
NORM_AFTER = "a norm after the MLP"
SCALED = "residual stream or logits scaled"
HYBRID = "recurrence, convolution or linear attention"
NO_MLP = "no MLP in some layer"
TWICE = "blocks run more than once"

# What is refused, and the sentence that says why.
NO_SITE = r"no neuron site .* at layer 0: TransformerLens shows no dense MLP there"
NO_STREAM = r"shows the residual stream \(hook_resid_post\) after 0 of 3 layers"
NOT_BOOTED = r"TransformerLens could not load it"
OTHER_ANSWERS = r"TransformerLens answers otherwise than transformers"


class Family(NamedTuple):
    """How to make one tiny model.

    Attributes:
        architecture: The class of transformers, which is also TransformerLens' name for it.
        kind: What is special about its blocks.
        outputs: The path of layer {}'s matrix whose input are the neurons.
        config: What makes it tiny.
        refused: If `load_model` refuses it: the sentence that says why, as a pattern.
    """

    architecture: str
    kind: str
    outputs: str
    config: dict
    refused: str | None = None


TINY = {"hidden_size": 32, "initializer_range": 0.2}  # default weights drown edits in rounding
THREE = {"num_hidden_layers": 3, "num_attention_heads": 4}
CONTEXT = {"max_position_embeddings": factory.CONTEXT}
LLAMA = TINY | THREE | CONTEXT | {"num_key_value_heads": 2, "intermediate_size": 80}
ALL_HEADS = LLAMA | {"num_key_value_heads": 4}
WIDE_HEADS = LLAMA | {"head_dim": 16}
GEMMA = WIDE_HEADS | {"query_pre_attn_scalar": 16, "sliding_window": 2 * factory.CONTEXT}
GPT = factory.GPT2 | {"n_head": 4}
GPT_NEO = TINY | CONTEXT | {"num_layers": 2, "num_heads": 2, "window_size": 4}
GPT_NEO |= {"attention_types": [[["global", "local"], 1]]}
ROTARY_GPT = GPT | {"rotary_dim": 8}
FALCON = TINY | THREE | {"ffn_hidden_size": 128}
GROUPED = FALCON | {"num_kv_heads": 2, "new_decoder_architecture": True}
FALCON_RW = {"alibi": True, "multi_query": False, "parallel_attn": False, "bias": True}
OPT = TINY | THREE | CONTEXT | {"ffn_dim": 128, "word_embed_proj_dim": 32, "init_std": 0.2}
OPT_350M = {"word_embed_proj_dim": 16, "do_layer_norm_before": False}
XGLM = {"d_model": 32, "ffn_dim": 128, "num_layers": 3, "attention_heads": 2, "init_std": 0.2}
MPT = {"d_model": 32, "n_layers": 3, "n_heads": 4, "max_seq_len": 64, "initializer_range": 0.2}
YARN = {"original_max_position_embeddings": factory.CONTEXT, "llama_4_scaling_beta": 0.1}
MINISTRAL = {"rope_parameters": {"rope_type": "default", "rope_theta": 1e4} | YARN}
GRANITE = {"residual_multiplier": 0.5, "logits_scaling": 2.0, "embedding_multiplier": 2.0}
GRANITE_4 = {"num_local_experts": 0, "shared_intermediate_size": 80, "mamba_n_heads": 8}
GRANITE_4 |= GRANITE | {"layer_types": ["full_attention"] * 3}
GEMMA4 = {
    "layer_types": ["sliding_attention", "sliding_attention", "full_attention"],
    "hidden_size_per_layer_input": 8,
    "vocab_size_per_layer_input": 400,
    "num_kv_shared_layers": 0,
    "global_head_dim": 16,
}
LATENT = {
    "kv_lora_rank": 16,
    "q_lora_rank": 16,
    "qk_rope_head_dim": 8,
    "qk_nope_head_dim": 8,
    "v_head_dim": 8,
    "embedding_initializer_range": 0.2,
}
LINEAR = {
    "layer_types": ["linear_attention", "full_attention", "linear_attention"],
    "linear_num_key_heads": 2,
    "linear_num_value_heads": 2,
    "linear_key_head_dim": 16,
    "linear_value_head_dim": 16,
}
LFM2 = {"block_auto_adjust_ff_dim": False, "layer_types": ["conv", "full_attention", "conv"]}
MAMBA2 = {"mamba_n_heads": 8, "mamba_d_head": 8, "mamba_d_state": 16, "mamba_chunk_size": 16}
JAMBA = {
    "num_experts": 1,
    "num_experts_per_tok": 1,
    "attn_layer_period": 2,
    "attn_layer_offset": 1,
    "mamba_dt_rank": 4,
    "use_mamba_kernels": False,
}
NEMOTRON_H = {
    "layers_block_type": ["mamba", "mlp", "attention"],
    "mamba_num_heads": 8,
    "mamba_head_dim": 8,
    "ssm_state_size": 16,
    "n_groups": 1,
    "n_routed_experts": 0,
}
ZAMBA2 = {
    "layers_block_type": ["linear_attention", "hybrid", "linear_attention"],
    "n_mamba_heads": 8,
    "mamba_d_state": 16,
    "chunk_size": 16,
    "num_mem_blocks": 1,
    "use_mamba_kernels": False,
}
STATE_SPACE = {"hidden_size": 32, "num_hidden_layers": 3}
MAMBA_2 = {"num_heads": 8, "head_dim": 8, "n_groups": 1, "state_size": 16, "chunk_size": 16}
RWKV = {"attention_hidden_size": 32, "intermediate_size": 128, "context_length": 64}

C_PROJ = "transformer.h.{}.mlp.c_proj"
FC_OUT = "transformer.h.{}.mlp.fc_out"
DENSE = "transformer.h.{}.mlp.dense_4h_to_h"
FC2 = "model.decoder.layers.{}.fc2"
DOWN = "model.layers.{}.mlp.down_proj"
FORWARD = "model.layers.{}.feed_forward.down_proj"
NONE = ""

# The first of each kind is tested by `make test`.
FAMILIES = {
    "GPT-Neo": Family("GPTNeoForCausalLM", PLAIN, C_PROJ, GPT_NEO),
    "GPT-2": Family("GPT2LMHeadModel", PLAIN, C_PROJ, GPT),
    "GPT-1": Family("OpenAIGPTLMHeadModel", NORM_AFTER, C_PROJ, GPT, NO_STREAM),
    "StarCoder": Family("GPTBigCodeForCausalLM", PLAIN, C_PROJ, GPT),
    "StarCoder 2": Family("Starcoder2ForCausalLM", PLAIN, "model.layers.{}.mlp.c_proj", LLAMA),
    "XGLM": Family("XGLMForCausalLM", PLAIN, "model.layers.{}.fc2", XGLM | CONTEXT),
    "Nemotron": Family("NemotronForCausalLM", PLAIN, DOWN, LLAMA | {"head_dim": 8}),
    "Arcee": Family("ArceeForCausalLM", PLAIN, DOWN, LLAMA),
    "Apertus": Family("ApertusForCausalLM", PLAIN, DOWN, LLAMA),
    "Jais 2": Family("Jais2ForCausalLM", PLAIN, DOWN, WIDE_HEADS),
    "nanochat": Family("NanoChatForCausalLM", PLAIN, "model.layers.{}.mlp.fc2", LLAMA),
    "OPT": Family("OPTForCausalLM", FLAT, FC2, OPT),
    "OPT, narrower MLP": Family("OPTForCausalLM", FLAT, FC2, OPT | {"ffn_dim": 80}),
    "OPT-350m": Family("OPTForCausalLM", FLAT, FC2, OPT | OPT_350M),
    "GPT-J": Family("GPTJForCausalLM", PARALLEL, FC_OUT, ROTARY_GPT),
    "CodeGen": Family("CodeGenForCausalLM", PARALLEL, FC_OUT, ROTARY_GPT),
    "Pythia, GPT-NeoX": Family(
        "GPTNeoXForCausalLM", PARALLEL, "gpt_neox.layers.{}.mlp.dense_4h_to_h", ALL_HEADS
    ),
    "Phi": Family("PhiForCausalLM", PARALLEL, "model.layers.{}.mlp.fc2", LLAMA),
    "Falcon": Family("FalconForCausalLM", PARALLEL, DENSE, FALCON),
    "Falcon, grouped heads": Family("FalconForCausalLM", PARALLEL, DENSE, GROUPED, NOT_BOOTED),
    "StableLM, parallel": Family(
        "StableLmForCausalLM", PARALLEL, DOWN, LLAMA | {"use_parallel_residual": True}
    ),
    "BLOOM": Family("BloomForCausalLM", ALIBI, DENSE, TINY | {"n_layer": 3, "n_head": 4}),
    "MPT": Family("MptForCausalLM", ALIBI, "transformer.blocks.{}.ffn.down_proj", MPT),
    "Falcon, a key for each head": Family(
        "FalconForCausalLM", PARALLEL, DENSE, GROUPED | {"multi_query": False}, OTHER_ANSWERS
    ),
    "Falcon-RW": Family("FalconForCausalLM", ALIBI, DENSE, FALCON | FALCON_RW),
    "Llama": Family("LlamaForCausalLM", GATED, DOWN, LLAMA),
    "Mistral": Family("MistralForCausalLM", GATED, DOWN, LLAMA),
    "Ministral 3": Family("Ministral3ForCausalLM", GATED, DOWN, WIDE_HEADS | MINISTRAL),
    "Qwen 2": Family("Qwen2ForCausalLM", GATED, DOWN, LLAMA),
    "Qwen 3": Family("Qwen3ForCausalLM", GATED, DOWN, WIDE_HEADS),
    "Gemma": Family("GemmaForCausalLM", GATED, DOWN, WIDE_HEADS),
    "VaultGemma": Family("VaultGemmaForCausalLM", GATED, DOWN, GEMMA),
    "Phi 3": Family("Phi3ForCausalLM", GATED, DOWN, LLAMA),
    "OLMo": Family("OlmoForCausalLM", GATED, DOWN, LLAMA),
    "StableLM": Family("StableLmForCausalLM", GATED, DOWN, LLAMA),
    "SmolLM3": Family("SmolLM3ForCausalLM", GATED, DOWN, LLAMA),
    "Seed-OSS": Family("SeedOssForCausalLM", GATED, DOWN, WIDE_HEADS),
    "ERNIE 4.5": Family("Ernie4_5ForCausalLM", GATED, DOWN, WIDE_HEADS),
    "GLM": Family("GlmForCausalLM", GATED, DOWN, WIDE_HEADS),
    "Hunyuan": Family("HunYuanDenseV1ForCausalLM", GATED, DOWN, WIDE_HEADS),
    "BitNet": Family("BitNetForCausalLM", GATED, DOWN, LLAMA),
    "Youtu": Family("YoutuForCausalLM", GATED, DOWN, ALL_HEADS | LATENT),
    "ModernBERT decoder": Family(
        "ModernBertDecoderForCausalLM", GATED, "model.layers.{}.mlp.Wo", LLAMA | {"pad_token_id": 0}
    ),
    "Gemma 2": Family("Gemma2ForCausalLM", NORM_AFTER, DOWN, GEMMA),
    "Gemma 3": Family("Gemma3ForCausalLM", NORM_AFTER, DOWN, GEMMA),
    "Gemma 4": Family("Gemma4ForCausalLM", NORM_AFTER, DOWN, WIDE_HEADS | GEMMA4),
    "OLMo 2": Family("Olmo2ForCausalLM", NORM_AFTER, DOWN, LLAMA),
    "OLMo 3": Family("Olmo3ForCausalLM", NORM_AFTER, DOWN, LLAMA),
    "EXAONE 4": Family("Exaone4ForCausalLM", NORM_AFTER, DOWN, LLAMA),
    "GLM 4": Family("Glm4ForCausalLM", NORM_AFTER, DOWN, WIDE_HEADS),
    "Granite": Family("GraniteForCausalLM", SCALED, DOWN, LLAMA | GRANITE),
    "Granite 4, dense": Family(
        "GraniteMoeHybridForCausalLM",
        SCALED,
        "model.layers.{}.shared_mlp.output_linear",
        LLAMA | GRANITE_4,
        NO_SITE,
    ),
    "Cohere": Family("CohereForCausalLM", SCALED, DOWN, LLAMA),
    "Cohere 2": Family("Cohere2ForCausalLM", SCALED, DOWN, LLAMA),
    "LFM2": Family("Lfm2ForCausalLM", HYBRID, "model.layers.{}.feed_forward.w2", LLAMA | LFM2),
    "Qwen 3.5": Family("Qwen3_5ForCausalLM", HYBRID, DOWN, WIDE_HEADS | LINEAR),
    "OLMo Hybrid": Family("OlmoHybridForCausalLM", HYBRID, DOWN, LLAMA | LINEAR),
    "Falcon-H1": Family(
        "FalconH1ForCausalLM", HYBRID, FORWARD, LLAMA | MAMBA2 | {"mamba_d_ssm": 64}
    ),
    "Bamba": Family(
        "BambaForCausalLM", HYBRID, FORWARD, LLAMA | MAMBA2 | {"attn_layer_indices": [1]}
    ),
    "Jamba, dense": Family("JambaForCausalLM", HYBRID, FORWARD, LLAMA | JAMBA),
    "RecurrentGemma": Family(
        "RecurrentGemmaForCausalLM", HYBRID, NONE, WIDE_HEADS | {"lru_width": 32}, NO_SITE
    ),
    "Mamba": Family("MambaForCausalLM", NO_MLP, NONE, STATE_SPACE, NO_SITE),
    "Mamba 2": Family("Mamba2ForCausalLM", NO_MLP, NONE, STATE_SPACE | MAMBA_2, NO_SITE),
    "Falcon Mamba": Family("FalconMambaForCausalLM", NO_MLP, NONE, STATE_SPACE, NO_SITE),
    "Nemotron-H": Family("NemotronHForCausalLM", NO_MLP, NONE, LLAMA | NEMOTRON_H, NO_SITE),
    "Zamba 2": Family("Zamba2ForCausalLM", NO_MLP, NONE, ALL_HEADS | ZAMBA2, NO_SITE),
    "RWKV": Family("RwkvForCausalLM", NO_MLP, NONE, STATE_SPACE | RWKV, NO_SITE),
    "HRM": Family(
        "HrmTextForCausalLM", TWICE, NONE, ALL_HEADS | {"num_layers_per_stack": 2}, NO_SITE
    ),
}
FIRST_OF_A_KIND = list({f.kind: name for name, f in reversed(FAMILIES.items())}.values())[::-1]


def named(names: str, ending: str = "") -> list[str]:
    return [name + ending for name in names.split()]


UNTRIED = {
    "a mixture of experts, which `load_model` refuses by that name": named(
        "Afmoe DeepseekV2 DeepseekV3 DeepseekV4 Ernie4_5_Moe FlexOlmo Glm4Moe Glm4MoeLite "
        "GlmMoeDsa GptOss GraniteMoe JetMoe Laguna Lfm2Moe Llama4 MiniMaxM2 Mixtral Olmoe "
        "Qwen2Moe Qwen3Moe Qwen3Next Qwen3_5Moe",
        "ForCausalLM",
    ),
    "needs code that is not in transformers, and such code is never run": named(
        "BD3LM BaiChuanForCausalLM BaichuanForCausalLM DreamModel ExaoneForCausalLM "
        "GPT2LMHeadCustomModel GiddForDiffusionLM HyenaDNAForCausalLM InternLM2ForCausalLM "
        "JetMoEForCausalLM LLaDA2MoeModelLM LLaDAModelLM MinGPTForCausalLM NanoGPTForCausalLM "
        "NeelSoluOldForCausalLM OpenELMForCausalLM OuroForCausalLM PhiMoEForCausalLM "
        "QwenForCausalLM RWKV7ForCausalLM RavenForCausalLM TransformerLensNative "
        "TransformerLensPretrain"
    ),
    "another name of one in the table": named("Gemma1 MPT Neo NeoX", "ForCausalLM"),
    "reads pictures or sound beside text": named(
        "AudioFlamingo3 Emu3 Florence2 Gemma3 Gemma3n Gemma4 Gemma4Unified Glm4v GlmAsr Idefics3 "
        "Llama4 Llava LlavaNext LlavaOnevision Mistral3 MuseGlimmer MusicFlamingo Qwen2Audio "
        "Qwen2_5_VL Qwen3VL Qwen3VLMoe Qwen3_5 Qwen3_5Moe",
        "ForConditionalGeneration",
    ),
    "an encoder and a decoder": named(
        "BartForConditionalGeneration BlenderbotForConditionalGeneration "
        "LEDForConditionalGeneration LongT5ForConditionalGeneration "
        "M2M100ForConditionalGeneration MBartForConditionalGeneration MarianMTModel "
        "MT5ForConditionalGeneration PegasusForConditionalGeneration "
        "SwitchTransformersForConditionalGeneration T5ForConditionalGeneration T5WithLMHeadModel "
        "T5GemmaForConditionalGeneration T5Gemma2ForConditionalGeneration"
    ),
    "no causal language model": named(
        "ASTForAudioClassification BertForMaskedLM BertLMHeadModel BloomModel "
        "DeiTForImageClassification DeiTModel HubertForCTC HubertModel RobertaForMaskedLM "
        "ViTForImageClassification ViTModel Wav2Vec2ForCTC Wav2Vec2ForPreTraining Wav2Vec2Model"
    ),
}


@functools.cache
def folder(name: str) -> Path:
    """A tiny model of random weights and its tokenizer, saved; deleted when the tests end."""
    path, config = Path(factory.HOME.name, "families", name), FAMILIES[name].config
    return factory.write(path, FAMILIES[name].architecture, **{"pad_token_id": None} | config)


def plain(name: str) -> transformers.PreTrainedModel:
    """The same model as plain transformers loads it: the reference that owes us nothing."""
    kind = getattr(transformers, FAMILIES[name].architecture)
    return kind.from_pretrained(folder(name), attn_implementation="eager").eval()
