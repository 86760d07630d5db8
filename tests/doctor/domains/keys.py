"""DKIM keys to publish in the zone of a test."""

# Public keys as openssl writes them, whose private keys were deleted: RSA of 2048, 1024 and 768 bits, a bare RSA key
# of 2048 bits, and Ed25519.
RSA_2048 = (
    "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA2dv/qqQdX+tQCMy/xvivddwC1QQRauN/ZC3MjKjCGXbk3f9b3uEruK2c"
    "Y2VvGZAPtYgL0FZ5dVFhc+9snR9+Zj4va09+lEl60kcP1qMhkCMtZNVkNy5FAk+rLAEtEvthsWe8sRCM/hWaEWuB7bwjNCo/i4n1"
    "1pO8x5JT2fWIppV2PgyB6pgaP8W7zPux97C0cUYvbx0IdbMXxhyVmfOZkCf5a93nFNeZ1cqQm03dV3ANM8RLM6risejv8O8Q6xro"
    "HcAPhngfoSv1Urd6PZH3jCfYtfufxISV1tXeqoOZw9J4aXr+x8P5xO6SijV4KU/ds2JkJ11zp7nhiCgczP62VQIDAQAB"
)
RSA_1024 = (
    "MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDcM/8oo5IVDmAw3Lg0gt+sT4JgV2XiSuBrY6zm1KaEoiI9SrRw7x/hmJmF07Pw"
    "hK+Cyr+ss6+MFj5lyAXm++3ynGZsfZIyWr2MgUCtCZClluJwtRL+gl76Zgho+OAka4t5RFmgJ5+1pGTRvXi2Rjk7b950TbP8lvK5"
    "CDX6kPNDDwIDAQAB"
)
RSA_768 = (
    "MHwwDQYJKoZIhvcNAQEBBQADawAwaAJhALrpc0m7ariudF7G9GhB1PAf3EfkIFvgTVWWTo5YzkyCmKPdNhBS/W7C3tkF/JXeUaEO"
    "B5HDFkjDoK9RnI1IFur1Ot9VNXbiptiPmtTOLqFNuhdOR8UykLPFn+7cjxfjiQIDAQAB"
)
BARE_2048 = (
    "MIIBCgKCAQEApIxk1QRXYeSvDnYIpAXIYuKgFnwCByEmNriLD79r38IExmb4R9wVG5+wGR9/WpV1rNd4pOVy0tJcQagiCusAxm6s"
    "jocK6gGNGx5x12+XhguswYzlWh3BuOGjFXpmGLu8vbRpIZjnnR7TwwKmKbIIJ3jR6g/GkSg5/bDCBgzubHYas7yhQq37YXTY1VW5"
    "zIbMIYBcYesX1yb7et2u38xJAS1tb+lCa3dfO5YnpucqiglVQ2sgDhuDxIeoXdr+bp7q4GCttEq8v9D3dRzjK5BXDdh2NzJlJaiH"
    "SBd/6Tmk0BLMFR5iqK+8Au0lGa78YfSL9WyUucH3w1AojoXURS9uGQIDAQAB"
)
ED25519 = "hZyQqVN0FaPwxJUKDdVIM2dq3xOhpBF9+MFOcGoKe1g="
