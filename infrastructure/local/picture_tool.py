"""The picture tool that the demo offers: a template of ImageMagick, priced in units and in fen."""

from infrastructure.local.packaged import IMAGEMAGICK_IMAGE
from wharfage.domain.input_schema import IntegerSchema, ObjectSchema
from wharfage.domain.membership import Title
from wharfage.domain.price import Resources
from wharfage.domain.template import Result, TemplateBody

PACKAGES = ("imagemagick-6.q16", "jq", "dash", "coreutils")
PICTURE = "picture.png"  #: The name under which a job is given the picture.
RESULT = "/wharfage/output/small.png"
_SCRIPT = f"""set -e
mkdir -p "$(dirname {RESULT})"
percent=$(jq .percent /wharfage/input.json)
convert-im6.q16 /wharfage/inputs/{PICTURE} -colorspace Gray -resize "$percent%" {RESULT}
"""

TEMPLATE = TemplateBody(
    name="shrink",
    title=Title(en="Make a picture smaller, and grey", zh="缩小图片并转为灰度"),
    units=5,
    price_fen=40,
    image=IMAGEMAGICK_IMAGE,
    entrypoint=("/bin/dash", "-c"),
    command=(_SCRIPT,),
    resources=Resources(cpu_millis=500, memory_mb=256, disk_mb=50),
    max_run_s=60,
    input=ObjectSchema(
        properties={"percent": IntegerSchema(minimum=1, maximum=100)}, required=("percent",)
    ),
    result=Result(path=RESULT, media_type="image/png"),
)
