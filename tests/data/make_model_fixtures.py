"""Write the frozen encoder fixtures of this folder; needs torch and sentence-transformers.

    python make_model_fixtures.py tiny                          -> models/
    python make_model_fixtures.py arxiv DATA MODEL_FOLDER       -> arxiv-200.*

`tiny` builds one small random checkpoint per family, with a tokenizer trained on arxiv-200, and
freezes what transformers and sentence-transformers compute with them. `arxiv` picks 200 texts from
DATA/arxiv-abstracts (metadata of arXiv, CC0) and freezes the vectors of MODEL_FOLDER.
"""

from __future__ import annotations

import gzip
import json
import shutil
import sys
import tempfile
from pathlib import Path

import numpy as np
import tokenizers
import torch
import transformers
from sentence_transformers import SentenceTransformer
from tokenizers import decoders, models, normalizers, pre_tokenizers, processors, trainers

HERE = Path(__file__).parent
TEXTS = HERE / "arxiv-200.jsonl.gz"

SENTENCES = [
    "A zero row scores zero.",
    "",
    "Quantization maps many numbers to few, and the few to fewer bits.",
    "Ünïcode, 日本語 и русский; naïve café 🙂 ½",
    "x",
    "  spaces   before,\tbetween\nand after  ",
    "We measure the cascading failure of scale-free networks under load. " * 20,
    "Padding <pad> and [PAD] spelled out in a text, and <s> too.",
]

BASE = {
    "vocab_size": 400,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 64,
    "max_position_embeddings": 64,
}
FAMILIES = {
    "bert": transformers.BertConfig(**BASE, type_vocab_size=2),
    "roberta": transformers.RobertaConfig(
        **{**BASE, "max_position_embeddings": 66}, type_vocab_size=1, layer_norm_eps=1e-5
    ),
    "xlm-roberta": transformers.XLMRobertaConfig(
        **{**BASE, "max_position_embeddings": 66},
        type_vocab_size=1,
        layer_norm_eps=1e-5,
        hidden_act="gelu_new",
    ),
    "mpnet": transformers.MPNetConfig(**{**BASE, "max_position_embeddings": 200}),
    "distilbert": transformers.DistilBertConfig(
        vocab_size=400, dim=32, n_layers=2, n_heads=4, hidden_dim=64, max_position_embeddings=64
    ),
}

POOLING = "sentence_transformers.models.Pooling"
DENSE = "sentence_transformers.models.Dense"
NORMALIZE = "sentence_transformers.models.Normalize"


def pooling(*flags: str, **more: object) -> dict[str, object]:
    """Return the JSON of a Pooling module with these flags set."""
    names = ("cls_token", "mean_tokens", "max_tokens", "mean_sqrt_len_tokens")
    names += ("weightedmean_tokens", "lasttoken")
    values = {f"pooling_mode_{name}": name in flags for name in names}
    return {"word_embedding_dimension": 32, **values, **more}


def dense(size_in: int, size_out: int, activation: str) -> dict[str, object]:
    """Return the JSON of a Dense module."""
    full = f"torch.nn.modules.{activation}"
    size = {"in_features": size_in, "out_features": size_out}
    return {**size, "bias": True, "activation_function": full}


# name -> (family, [(module type, its config.json)], settings of sentence_bert_config.json, prompt)
PROMPT = "Represent this sentence: "
VARIANTS = {
    "cls": ("bert", [(POOLING, pooling("cls_token"))], {}, ""),
    "max": ("roberta", [(POOLING, pooling("max_tokens"))], {}, ""),
    "mean-normalized": ("mpnet", [(POOLING, pooling("mean_tokens")), (NORMALIZE, {})], {}, ""),
    "sqrt": ("bert", [(POOLING, pooling("mean_sqrt_len_tokens"))], {}, ""),
    "weighted": ("xlm-roberta", [(POOLING, pooling("weightedmean_tokens"))], {}, ""),
    "last": ("distilbert", [(POOLING, pooling("lasttoken"))], {}, ""),
    "four-modes": (
        "bert",
        [(POOLING, pooling("cls_token", "max_tokens", "mean_tokens", "lasttoken"))],
        {},
        "",
    ),
    "new-style-names": (
        "distilbert",
        [(POOLING, {"embedding_dimension": 32, "pooling_mode": ["mean", "cls"]})],
        {},
        "",
    ),
    "max-length-12": ("bert", [(POOLING, pooling("mean_tokens"))], {"max_seq_length": 12}, ""),
    "lower-case": ("roberta", [(POOLING, pooling("mean_tokens"))], {"do_lower_case": True}, ""),
    "prompt": ("mpnet", [(POOLING, pooling("mean_tokens"))], {}, PROMPT),
    "prompt-left-out": (
        "bert",
        [
            (
                POOLING,
                pooling("mean_tokens", "cls_token", "weightedmean_tokens", include_prompt=False),
            ),
            (NORMALIZE, {}),
        ],
        {},
        PROMPT,
    ),
    "dense-tanh": (
        "mpnet",
        [(POOLING, pooling("mean_tokens")), (DENSE, dense(32, 24, "activation.Tanh"))],
        {},
        "",
    ),
    "normalize-dense-dense": (
        "bert",
        [
            (POOLING, pooling("mean_tokens")),
            (NORMALIZE, {}),
            (DENSE, dense(32, 24, "activation.GELU")),
            (DENSE, {**dense(24, 8, "linear.Identity"), "bias": False}),
            (NORMALIZE, {}),
        ],
        {},
        "",
    ),
}


def corpus() -> list[str]:
    """Return the 200 texts."""
    with gzip.open(TEXTS, "rt", encoding="utf-8") as file:
        return [json.loads(line)["text"] for line in file]


def word_piece(cls: str, sep: str, specials: list[str], unk: str) -> tokenizers.Tokenizer:
    """Train a BERT-style tokenizer."""
    made = tokenizers.Tokenizer(models.WordPiece(unk_token=unk))
    made.normalizer = normalizers.BertNormalizer(lowercase=True)
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    made.decoder = decoders.WordPiece()
    trainer = trainers.WordPieceTrainer(
        vocab_size=400, special_tokens=specials, limit_alphabet=120, show_progress=False
    )
    made.train_from_iterator(corpus(), trainer)
    closing = [(cls, made.token_to_id(cls)), (sep, made.token_to_id(sep))]
    made.post_processor = processors.TemplateProcessing(
        single=f"{cls} $A {sep}", special_tokens=closing
    )
    return made


def byte_bpe() -> tokenizers.Tokenizer:
    """Train a RoBERTa-style tokenizer."""
    made = tokenizers.Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=["<s>", "<pad>", "</s>", "<unk>", "<mask>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    made.train_from_iterator(corpus(), trainer)
    made.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    return made


def unigram() -> tokenizers.Tokenizer:
    """Train an XLM-R-style tokenizer."""
    made = tokenizers.Tokenizer(models.Unigram())
    made.normalizer = normalizers.NFKC()
    made.pre_tokenizer = pre_tokenizers.Metaspace()
    made.decoder = decoders.Metaspace()
    trainer = trainers.UnigramTrainer(
        vocab_size=400,
        special_tokens=["<s>", "<pad>", "</s>", "<unk>", "<mask>"],
        unk_token="<unk>",
        show_progress=False,
    )
    made.train_from_iterator(corpus(), trainer)
    made.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    return made


def tokenizer_of(family: str) -> tuple[tokenizers.Tokenizer, dict[str, str]]:
    """Return a trained tokenizer and the names of its special tokens."""
    if family in ("bert", "distilbert"):
        specials = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
        names = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]"}
        return word_piece("[CLS]", "[SEP]", specials, "[UNK]"), {**names, "sep_token": "[SEP]"}
    names = {"pad_token": "<pad>", "unk_token": "<unk>", "cls_token": "<s>", "sep_token": "</s>"}
    if family == "mpnet":
        specials = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
        return word_piece("<s>", "</s>", specials, "<unk>"), names
    return (byte_bpe() if family == "roberta" else unigram()), names


def randomize(model: torch.nn.Module) -> None:
    """Give weights a spread at which attention and activations leave their linear range."""
    for name, tensor in model.named_parameters():
        noise = torch.randn(tensor.shape)
        is_norm = "norm" in name.lower() and name.endswith("weight")
        tensor.data = 1 + 0.2 * noise if is_norm else 0.25 * noise


def write_family(family: str, config: transformers.PretrainedConfig) -> None:
    """Write models/<family>/ with the means of its token vectors and the numbers of tokens."""
    folder = HERE / "models" / family
    shutil.rmtree(folder, ignore_errors=True)
    torch.manual_seed(len(family))
    model = transformers.AutoModel.from_config(config).eval()
    randomize(model)
    half = family != "bert"  # both ways of storing weights are read by the tests
    model.to(torch.float16 if half else torch.float32).save_pretrained(folder)
    (folder / "model.safetensors").chmod(0o644)
    engine, names = tokenizer_of(family)
    engine.save(str(folder / "tokenizer.json"), pretty=False)
    offset = 2 if family in ("roberta", "xlm-roberta", "mpnet") else 0
    limit = config.max_position_embeddings - offset
    settings = {"tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": limit, **names}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings, indent=1))
    with torch.no_grad():
        model = transformers.AutoModel.from_pretrained(
            folder, dtype=torch.float32, attn_implementation="eager"
        ).eval()
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
        fed = tokenizer(SENTENCES, padding=True, truncation=True, return_tensors="pt")
        fed.pop("token_type_ids", None)
        hidden = model(**fed).last_hidden_state
        mask = fed["attention_mask"][:, :, None].float()
        mean = (hidden * mask).sum(1) / mask.sum(1)
    lengths = fed["attention_mask"].sum(1).numpy()
    np.savez(folder / "expected.npz", mean=mean.numpy(), lengths=lengths)


def write_dense() -> None:
    """Write the weights that the dense variants share: dense.npz."""
    rng = np.random.default_rng(5)
    shapes = {"24x32": (24, 32), "24": (24,), "8x24": (8, 24)}
    arrays = {k: rng.standard_normal(v).astype(np.float32) * 0.3 for k, v in shapes.items()}
    np.savez(HERE / "models" / "dense.npz", **arrays)


def compose(folder: Path, variant: dict[str, object]) -> None:
    """Write a sentence-transformers folder; the tests hold a reader of the same JSON."""
    from safetensors.numpy import save_file

    shutil.copytree(HERE / "models" / str(variant["family"]), folder)
    for name, content in variant["files"].items():  # type: ignore[attr-defined]
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(json.dumps(content))
    arrays = np.load(HERE / "models" / "dense.npz")
    for path, tensors in variant["dense"].items():  # type: ignore[attr-defined]
        stored = {f"linear.{kind}": arrays[key] for kind, key in tensors.items()}
        save_file(stored, folder / path / "model.safetensors")


def variant_json(name: str) -> dict[str, object]:
    """Return one variant as the data that `compose` and the tests build a folder from."""
    family, stages, settings, prompt = VARIANTS[name]
    modules = [
        {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"}
    ]
    files: dict[str, object] = {}
    weights: dict[str, object] = {}
    for number, (kind, config) in enumerate(stages, 1):
        path = f"{number}_{kind.rpartition('.')[2]}"
        modules.append({"idx": number, "name": str(number), "path": path, "type": kind})
        files[f"{path}/config.json"] = config
        if kind == DENSE:
            shape = f"{config['out_features']}x{config['in_features']}"
            weights[path] = {"weight": shape} | ({"bias": "24"} if config["bias"] else {})
    files["modules.json"] = modules
    files["sentence_bert_config.json"] = settings
    prompts = {"prompts": {"instruct": prompt, "none": ""}, "default_prompt_name": None}
    files["config_sentence_transformers.json"] = prompts
    used = "instruct" if prompt else None
    return {"family": family, "files": files, "dense": weights, "prompt_name": used}


def write_tiny() -> None:
    """Write everything under models/."""
    for family, config in FAMILIES.items():
        write_family(family, config)
    write_dense()
    variants = {name: variant_json(name) for name in VARIANTS}
    expected = {}
    for name, variant in variants.items():
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary) / "model"
            compose(folder, variant)
            reference = SentenceTransformer(
                str(folder), device="cpu", model_kwargs={"dtype": torch.float32}
            )
            expected[name] = reference.encode(SENTENCES, prompt_name=variant["prompt_name"])
    np.savez(HERE / "models" / "expected.npz", **expected)
    text = json.dumps({"sentences": SENTENCES, "variants": variants}, indent=1)
    (HERE / "models" / "variants.json").write_text(text + "\n", encoding="utf-8")


def write_arxiv(data: Path, model: Path) -> None:
    """Write the 200 texts and their vectors (float16)."""
    rows = {}
    for name in ("corpus", "queries"):
        with gzip.open(data / "arxiv-abstracts" / f"{name}.jsonl.gz", "rt") as file:
            rows[name] = [json.loads(line) for line in file]
    long = [row for row in rows["corpus"] if len(row["text"]) > 1700]
    picked = rows["corpus"][::625] + long[:: len(long) // 15][:15] + rows["queries"][:3000:120]
    texts = [{"id": row["id"], "text": row["text"]} for row in picked][:200]
    lines = "".join(json.dumps(row) + "\n" for row in texts).encode()
    TEXTS.write_bytes(gzip.compress(lines, mtime=0))
    reference = SentenceTransformer(str(model), device="cpu")
    vectors = reference.encode([row["text"] for row in texts])
    np.save(HERE / "arxiv-200.minilm-384.npy", vectors.astype(np.float16))


if __name__ == "__main__":
    if sys.argv[1] == "arxiv":
        write_arxiv(Path(sys.argv[2]), Path(sys.argv[3]))
    else:
        write_tiny()
