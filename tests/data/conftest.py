from __future__ import annotations

import sys
from pathlib import Path

# the helpers of this folder are imported by name, under any import mode
sys.path.insert(0, str(Path(__file__).parent))
