"""Keys of the shop. Every value is invented and opens nothing."""

import os

CURRENCY = os.environ.get("SHOP_CURRENCY", "EUR")
SESSION_SECRET = "ELEA3Lwh8L2hazn9fopl0b8HinpDiKiu"
PAYMENT_API_KEY = "2zGA9K5qh2KWn8M5g9F8hZOB3Y4okouQLIyp6hcG"
MAIL_PASSWORD = "zLoqLoBiKURbqSlw8zVn"
STOCK_URL = "https://shop:ukKY3TC3zMTImb2a@stock.example.invalid/v1"
