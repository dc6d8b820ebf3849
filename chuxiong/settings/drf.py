"""Django REST framework: JSON only, problem+json errors, OpenAPI with local assets."""

REST_FRAMEWORK = {
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_AUTHENTICATION_CLASSES": [],
    "DEFAULT_PERMISSION_CLASSES": [],
    "UNAUTHENTICATED_USER": None,
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "ingestion.api.problems.exception_handler",
}

SPECTACULAR_SETTINGS = {
    "TITLE": "检察业务大数据中心 · 单位接口 Agency interface",
    # The last writes the introduction, with a signature that is computed.
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "supervision.api.schema.introduce",
    ],
    "VERSION": "1.0.0",
    "TAGS": [
        {"name": "received", "description": "收到的事项 What was received"},
        {"name": "feeds", "description": "报送文件 Handing files in, how feeds stand"},
        {"name": "deliveries", "description": "报送结果 What became of them"},
        {"name": "webhook", "description": "变化通知 Being told of changes"},
    ],
    "ENUM_NAME_OVERRIDES": {
        "ReceivedKindEnum": "ingestion.api.received._KINDS",
        "ReceivedStateEnum": "ingestion.api.received._STATES",
        "WebhookStateEnum": "ingestion.api.webhook._STATES",
        "SignatureAlgorithmEnum": "ingestion.api.webhook._ALGORITHMS",
    },
    "SERVE_INCLUDE_SCHEMA": False,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    # A request must be signed: the page shows, it does not send.
    "SWAGGER_UI_SETTINGS": {
        "supportedSubmitMethods": [],
        "docExpansion": "full",
        "defaultModelRendering": "model",
        "defaultModelExpandDepth": 2,
        "defaultModelsExpandDepth": -1,
        "validatorUrl": None,
    },
}
