"""An act that the rules of accounts do not allow, in words for the person who tried."""


class Refused(Exception):
    def __init__(self, zh: str, en: str) -> None:
        super().__init__(zh)
        self.zh = zh
        self.en = en
