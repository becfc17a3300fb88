"""The keys that source values are sealed with: master key, wrapping keys, data keys; their rotation and destruction."""
