from django.urls import path

from dashboard.accounts import administration, duty_post, hand_over, own, protection, sign_in

app_name = "accounts"
urlpatterns = [
    path("login/next", sign_in.go_on, name="sign_in_next"),
    path("login/code", sign_in.code, name="sign_in_code"),
    path("login/certificate", sign_in.certificate, name="sign_in_certificate"),
    path("login/dormant", sign_in.dormant, name="sign_in_dormant"),
    path("login/enrol", sign_in.enrol, name="sign_in_enrol"),
    path("login/password", sign_in.password, name="sign_in_password"),
    path("login/agreement", sign_in.agreement, name="sign_in_agreement"),
    path("session", sign_in.session, name="session"),
    path("session/back", sign_in.back, name="back"),
    path("second-factor.svg", sign_in.qr, name="qr"),
    path("post", duty_post.board, name="post"),
    path("post/pair", duty_post.pair, name="pair"),
    path("me", own.me, name="me"),
    path("me/home", own.home, name="home"),
    path("me/password", own.password, name="own_password"),
    path("me/second-factor", own.factor, name="factor"),
    path("people", administration.people_list, name="people"),
    path("people/new", administration.person_new, name="person_new"),
    path("people/<int:pk>", administration.person_page, name="person"),
    path("people/<int:pk>/<slug:act>", administration.person_act, name="person_act"),
    path("offices", administration.offices, name="offices"),
    path("posts", administration.posts, name="posts"),
    path("rights", protection.rights, name="rights"),
    path("rights/roles", protection.roles, name="roles"),
    path("rights/<int:pk>", protection.person_rights, name="person_rights"),
    path("rights/<int:pk>/<slug:act>", protection.rights_act, name="rights_act"),
    path("confidentiality", protection.confidentiality_register, name="confidentiality"),
    path("hand-over", hand_over.hand_over, name="hand_over"),
]
