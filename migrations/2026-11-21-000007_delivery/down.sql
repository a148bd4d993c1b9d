drop table message_attempt, message, download_session, download_link, download_grant;
