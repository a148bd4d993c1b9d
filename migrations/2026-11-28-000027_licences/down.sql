drop table licence_activation;
