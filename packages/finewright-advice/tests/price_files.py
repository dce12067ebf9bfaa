"""Files of prices as others have them."""

import json
from datetime import date
from pathlib import Path

from finewright.workbench.price_files import ImportStatement

TODAY = date(2026, 11, 25)
SAID = ImportStatement(source="https://example.org", observed_at="2026-11-20")

GPUHUNT = """\
instance_name,location,price,cpu,memory,gpu_count,gpu_name,gpu_memory,spot,disk_size,gpu_vendor,flags
gpu_1x_a100,us-east-1,1.29,30,200,1,A100,40.0,False,512,nvidia,
gpu_1x_a100,eu-west-1,1.49,30,200,1,A100,40.0,False,512,nvidia,
gpu_1x_a100,eu-west-2,1.99,30,200,1,A100,40.0,False,512,nvidia,
gpu_8x_a100,us-east-1,14.32,124,1800,8,A100,80.0,True,512,nvidia,
gpu_1x_rtx,us-east-1,0.50,14,46,1,RTX6000,24.0,False,512,nvidia,
cpu_4x,us-east-1,0.1,4,16,0,,,False,512,,
v5,us-east-1,3,4,16,1,tpu-v5,,False,512,google,
"""

SKYPILOT = """\
InstanceType,vCPUs,MemoryGiB,AcceleratorName,AcceleratorCount,GPUInfo,Region,AvailabilityZone,Price,SpotPrice
p5.48xlarge,192,2048,H100,8,x,us-east-1,us-east-1a,55.04,20.5
p5.48xlarge,192,2048,H100,8,x,us-west-2,us-west-2a,59.96,
a2.part,8,64,T4,0.5,x,us-west-2,us-west-2a,0.2,
m5.large,2,8,,,x,us-west-2,us-west-2a,0.1,0.05
"""
PLAIN = "sku,gpu,num_gpus,tier,region,usd_per_hour\n"
APIS = "provider,model,usd_per_million_in,usd_per_million_out,usd_per_million_cached,batch_share\n"

LITELLM = {
    "sample_spec": {"mode": "one of: chat, embedding", "input_cost_per_token": 0.0},
    "gpt-6-luna": {
        "litellm_provider": "openai",
        "mode": "chat",
        "input_cost_per_token": 1.5e-7,
        "output_cost_per_token": 6e-7,
        "cache_read_input_token_cost": 1e-8,
        "input_cost_per_token_above_272k_tokens": 3e-7,
        "max_input_tokens": 1050000,
        "source": "https://developers.openai.com/api/docs/pricing",
    },
    "gemini/gemini-9": {
        "litellm_provider": "gemini",
        "mode": "chat",
        "input_cost_per_token": 1e-6,
        "output_cost_per_token": 2e-6,
        "deprecation_date": "2027-03-01",
    },
    "free": {
        "litellm_provider": "openai",
        "mode": "chat",
        "input_cost_per_token": 0,
        "output_cost_per_token": 0,
    },
    "elsewhere": {"litellm_provider": "novita", "mode": "chat", "input_cost_per_token": 1e-6},
    "embed": {"litellm_provider": "openai", "mode": "embedding", "input_cost_per_token": 1e-6},
}


def written(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def litellm(folder: Path, **more: object) -> Path:
    return written(folder / "model_prices.json", json.dumps(LITELLM | more))
