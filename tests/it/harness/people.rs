//! People for tests, made by the real actions.

use dispense::base::actor::{Actor, Role};
use dispense::base::caller::Caller;
use dispense::base::ids::UserId;
use dispense::base::secret::Secret;
use dispense::people::code::{self, Purpose};
use dispense::people::{Registration, SignIn, SignedIn};

use super::TestApp;

pub const PASSWORD: &str = "correct horse battery";

impl TestApp {
    /// A caller that holds this access token.
    pub fn caller_with(&self, access: &Secret) -> Caller {
        Caller { bearer: Some(access.clone()), ..Caller::local() }
    }

    /// The code in the newest mail of a kind to the address.
    pub async fn mailed_code(&self, purpose: Purpose, email: &str) -> Secret {
        self.answer_requests().await;
        let id = self
            .db
            .one(&format!(
                "select payload->>'code' from message where kind in ('{0}', '{0}_code') and recipient = '{email}' \
                 order by created_at desc, id desc limit 1",
                purpose.as_str()
            ))
            .await;
        let code = code::text(&self.app.config.secrets.access, purpose, id.parse().unwrap());
        self.canary(code.expose());
        code
    }

    /// A buyer with a confirmed address.
    pub async fn buyer(&self, email: &str) -> UserId {
        self.canary(PASSWORD);
        let registration =
            Registration { email: email.into(), password: Secret::new(PASSWORD), name: None, locale: None };
        dispense::people::register(&self.app.people, &Caller::local(), registration).await.unwrap();
        let code = self.mailed_code(Purpose::ConfirmEmail, email).await;
        dispense::people::confirm_email(&self.app, &Caller::local(), email, &code, None).await.unwrap()
    }

    /// A person with these roles.
    pub async fn person(&self, email: &str, roles: &[Role]) -> UserId {
        let user = self.buyer(email).await;
        dispense::people::set_roles(&self.app, &Actor::system(), user, roles).await.unwrap();
        user
    }

    /// Gives a person these roles, as the shop's operator does for the first admin.
    pub async fn appoint(&self, email: &str, roles: &[Role]) {
        let id = self.db.one(&format!("select id from app_user where email = '{email}'")).await;
        let id = UserId(id.parse().unwrap());
        dispense::people::set_roles(&self.app, &Actor::system(), id, roles).await.unwrap();
    }

    /// Signs in with the usual password; the tokens are canaries from now on.
    pub async fn sign_in(&self, email: &str) -> SignedIn {
        let input =
            SignIn { email: email.into(), password: Secret::new(PASSWORD), device: Some("test".into()) };
        let signed_in = dispense::people::sign_in(&self.app.people, &Caller::local(), input).await.unwrap();
        self.canary(signed_in.tokens.access.expose());
        self.canary(signed_in.tokens.refresh.expose());
        signed_in
    }

    /// Who the shop takes the holder of this access token for.
    pub async fn actor(&self, access: &Secret) -> Actor {
        dispense::people::authenticate(&self.app.people, &self.caller_with(access)).await.unwrap()
    }
}
