urlpatterns: list = []
app_name = "walls"
