drop table api_client, email_code, refresh_token, session, seller_member, user_role, app_user;
